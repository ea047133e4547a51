// For tests: a vision server and a network camera that do as they are told.
#ifndef BAGEL_VISION_STAND_INS_H_
#define BAGEL_VISION_STAND_INS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http/http_server.h"
#include "http/router.h"

namespace bagel::vision {

// A server that can go away and come back on the same port.
class StandInServer {
 public:
  explicit StandInServer(http::Router router) : router_(std::move(router)) { Start(); }

  void Start() {
    http::ServerOptions options;
    options.port = port_;
    options.workers = 8;
    options.limits.drain_deadline = std::chrono::milliseconds(10);
    options.error_body = [](std::string_view text) { return std::string(text); };
    server_ = std::make_unique<http::HttpServer>(options, router_);
    port_ = server_->port();
  }
  void Stop() { server_.reset(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  const http::Router router_;
  uint16_t port_ = 0;
  std::unique_ptr<http::HttpServer> server_;
};

// Speaks Ollama's API. Answers every question with "Relaxed - a red shirt." after `delay`; holds it
// back while `hold` is true.
class StandInModel {
 public:
  StandInModel() : server(Routes()) {}

  std::atomic<int> asked{0};
  std::atomic<int> cancelled{0};
  std::atomic<bool> hold{false};
  std::atomic<int> delay_ms{0};

 private:
  http::Router Routes() {
    http::Router router;
    router.Add("GET", "/api/tags", http::Work::kLight,
               [](const http::HttpRequest&, const std::shared_ptr<http::HttpReply>& reply) {
                 reply->Send(200, "application/json", R"({"models":[{"name":"seeing:latest"}]})");
               });
    router.Add("POST", "/api/generate", http::Work::kHeavy,
               [this](const http::HttpRequest&, const std::shared_ptr<http::HttpReply>& reply) {
                 ++asked;
                 reply->OnCancel([this] { ++cancelled; });
                 Answer(*reply);
               });
    return router;
  }

  void Answer(http::HttpReply& reply) {
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    while (hold && !reply.cancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    reply.Begin(200, "application/x-ndjson");
    for (const char* words : {"Relaxed", " - a red", " shirt."}) {
      reply.Write(R"({"response":")" + std::string(words) + "\",\"done\":false}\n");
    }
    reply.Write("{\"response\":\"\",\"done\":true}\n");
    reply.End();
  }

 public:
  StandInServer server;
};

// A scene with a sensor's noise, and a thing that wanders through it when `moving`.
inline cv::Mat StandInScene(int number, bool moving, cv::Size size = {320, 240}) {
  cv::Mat scene(size.height / 8, size.width / 8, CV_8UC3), noise(size, CV_8UC3);
  cv::RNG(1).fill(scene, cv::RNG::UNIFORM, 40, 160);
  cv::resize(scene, scene, size, 0, 0, cv::INTER_CUBIC);
  if (moving) {
    const int x = number * 12 % (size.width - 60);
    cv::rectangle(scene, {x, size.height / 3, 50, 80}, {230, 230, 230}, cv::FILLED);
  }
  cv::RNG(static_cast<uint64_t>(number) + 7).fill(noise, cv::RNG::UNIFORM, 0, 12);
  return scene + noise;
}

// A camera that sends JPEG pictures over HTTP (multipart/x-mixed-replace), twenty a second.
class StandInCamera {
 public:
  StandInCamera() : server(Routes()), thread_([this] { Play(); }) {}
  ~StandInCamera() {
    stopping_ = true;
    thread_.join();
  }

  std::string source() const { return server.url() + "/camera.mjpg"; }
  std::atomic<bool> moving{false};

 private:
  http::Router Routes() {
    http::Router router;
    router.Add("GET", "/camera.mjpg", http::Work::kLight,
               [this](const http::HttpRequest&, const std::shared_ptr<http::HttpReply>& reply) {
                 reply->Begin(200, "multipart/x-mixed-replace; boundary=frame");
                 const std::lock_guard lock(mutex_);
                 viewers_.push_back(reply);
               });
    return router;
  }

  void Play() {
    for (int number = 0; !stopping_; ++number) {
      std::vector<uchar> jpeg;
      cv::imencode(".jpg", StandInScene(number, moving), jpeg);
      std::string part =
          "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: " + std::to_string(jpeg.size()) +
          "\r\n\r\n";
      part.append(jpeg.begin(), jpeg.end()).append("\r\n");
      {
        const std::lock_guard lock(mutex_);
        for (const auto& viewer : viewers_) {
          viewer->Write(part);
        }
        std::erase_if(viewers_, [](const auto& viewer) { return viewer->cancelled(); });
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  std::mutex mutex_;
  std::vector<std::shared_ptr<http::HttpReply>> viewers_;
  std::atomic<bool> stopping_{false};

 public:
  StandInServer server;

 private:
  std::thread thread_;
};

}  // namespace bagel::vision

#endif  // BAGEL_VISION_STAND_INS_H_
