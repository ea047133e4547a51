// One running picture of /api/generate: the engine's events become the lines that Ollama 0.32.5
// sent.
#ifndef BAGEL_API_PICTURE_CALL_H_
#define BAGEL_API_PICTURE_CALL_H_

#include <chrono>
#include <memory>
#include <string>

#include "engine/recipe.h"
#include "engine/request.h"
#include "http/budget.h"
#include "http/http_reply.h"

namespace bagel::api {

class PictureCall {
 public:
  struct Settings {
    std::string model;  // as the client wrote it
    bool stream = true;
    PictureRecipe recipe;
    std::chrono::steady_clock::time_point received;
    std::chrono::steady_clock::time_point submitted;
  };

  PictureCall(std::shared_ptr<http::HttpReply> reply, Settings settings,
              http::BudgetShare pictures);

  // Called for each event in turn.
  void On(const PictureEvent& event);

 private:
  void SendProgress(int completed);
  void OnResult(const PictureResult& result);

  const std::shared_ptr<http::HttpReply> reply_;
  const Settings settings_;
  const http::BudgetShare pictures_;
};

}  // namespace bagel::api

#endif  // BAGEL_API_PICTURE_CALL_H_
