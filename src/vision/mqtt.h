// Events over MQTT, found by Home Assistant on its own.
#ifndef BAGEL_VISION_MQTT_H_
#define BAGEL_VISION_MQTT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vision/outputs.h"

namespace bagel::vision {

struct MqttOptions {
  std::string url;  // "mqtt://[user@]host[:1883]" or "mqtts://[user@]host[:8883]"
  std::string password;
  std::string prefix = "sophia";            // of all topics
  std::string discovery = "homeassistant";  // Home Assistant's own prefix; empty = no discovery
  std::string client_id;                    // empty = the host's name and the process
  std::vector<std::string> cameras;         // their names
  // "ON" or "OFF" came for a camera. Called on the client's thread.
  std::function<void(const std::string& camera, bool on)> on_switch;
};

// Topics below the prefix, all kept by the broker (retained) but `events`:
//   available                "online"; "offline" is the client's last will
//   events                   every event as JSON
//   CAMERA/motion            "ON" or "OFF"
//   CAMERA/state             the camera's state, as "ok" or "camera_offline"
//   CAMERA/description       the last description: JSON with `text`
//   CAMERA/snapshot          the best frame of the last event, a JPEG file
//   CAMERA/enabled           "ON" or "OFF"; CAMERA/enabled/set takes the same two words
// The client connects in the background and again whenever the broker was away, then says
// everything that lasts anew. Write throws kUnavailable while there is no connection. Throws
// kInvalidArgument for a URL that is none.
std::unique_ptr<EventOutput> MakeMqtt(const MqttOptions& options);

// The parts of such a URL.
struct MqttAddress {
  std::string host;
  int port = 1883;
  std::string user;
  std::string password;
  bool tls = false;
};
MqttAddress ParseMqttUrl(const std::string& url);

}  // namespace bagel::vision

#endif  // BAGEL_VISION_MQTT_H_
