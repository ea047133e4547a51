// One running request to OpenAI's picture endpoints: its pictures one after the other, their events
// as one object or as a stream.
#ifndef BAGEL_API_IMAGES_CALL_H_
#define BAGEL_API_IMAGES_CALL_H_

#include <ctime>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "api/images_request.h"
#include "engine/engine.h"
#include "engine/recipe.h"
#include "http/budget.h"
#include "http/http_reply.h"

namespace bagel::api {

class ImagesCall : public std::enable_shared_from_this<ImagesCall> {
 public:
  struct Settings {
    int count = 1;
    PictureFormat format = PictureFormat::kPng;
    int quality = 100;
    bool as_url = false;
    bool stream = false;
    int partial_images = 0;
    std::string event_stem;  // "image_generation" or "image_edit"
    PictureRecipe recipe;
  };

  ImagesCall(Engine& engine, std::shared_ptr<http::HttpReply> reply, PictureRequest request,
             Settings settings, http::BudgetShare pictures);

  // Submits the first picture. Throws as Engine::SubmitPicture does.
  void Start();

 private:
  void Submit();
  void On(const PictureEvent& event);
  void OnProgress(const PictureProgress& progress);
  void OnResult(const PictureResult& result);
  void Cancel();
  void Finish(const nlohmann::ordered_json& last);
  std::string Encode(const PictureResult& result) const;
  nlohmann::ordered_json Described(PictureSize size) const;
  void SendEvent(const std::string& kind, nlohmann::ordered_json event);

  Engine& engine_;
  const std::shared_ptr<http::HttpReply> reply_;
  PictureRequest request_;
  const Settings settings_;
  const http::BudgetShare pictures_;
  const std::time_t created_ = std::time(nullptr);
  nlohmann::ordered_json data_ = nlohmann::ordered_json::array();
  int done_ = 0;      // pictures
  int partials_ = 0;  // previews of the picture that is being drawn

  std::mutex mutex_;
  std::shared_ptr<Job> job_;
  bool cancelled_ = false;
};

// Answers with OpenAI's error object, or, when a stream has begun, with a last event of it.
void SendOpenAiError(http::HttpReply& reply, const Error& error);

}  // namespace bagel::api

#endif  // BAGEL_API_IMAGES_CALL_H_
