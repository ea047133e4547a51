#include "api/openai.h"

#include <new>
#include <string>
#include <utility>
#include <vector>

#include "api/api_error.h"
#include "api/images_call.h"
#include "api/images_request.h"
#include "api/pictures.h"

namespace bagel::api {

OpenAiApi::OpenAiApi(Engine& engine, OllamaOptions options,
                     std::shared_ptr<http::Budget> picture_budget)
    : engine_(engine),
      options_(std::move(options)),
      names_(engine.info().name),
      picture_budget_(std::move(picture_budget)) {}

void OpenAiApi::AddRoutes(http::Router& router) {
  const auto images = [this](bool edit) {
    return [this, edit](http::HttpRequest request, const std::shared_ptr<http::HttpReply>& reply) {
      Images(std::move(request), edit, reply);
    };
  };
  router.Add("POST", "/v1/images/generations", http::Work::kHeavy, images(false));
  router.Add("POST", "/v1/images/edits", http::Work::kHeavy, images(true));
}

void OpenAiApi::Images(http::HttpRequest http, bool edit,
                       const std::shared_ptr<http::HttpReply>& reply) {
  try {
    RunImages(std::move(http), edit, reply);
  } catch (const Error& error) {
    SendOpenAiError(*reply, error);
  } catch (const std::bad_alloc&) {
    SendOpenAiError(*reply, Error(ErrorKind::kOutOfMemory, "out of memory"));
  }
}

void OpenAiApi::RunImages(http::HttpRequest http, bool edit,
                          const std::shared_ptr<http::HttpReply>& reply) {
  ImagesRequest request =
      ReadImagesRequest(http.content_type, http.body, edit, options_.max_images);
  std::string().swap(http.body);
  if (request.model && !names_.Matches(*request.model)) {
    throw ApiError(404, "model '" + request.model->substr(0, 200) + "' not found");
  }
  CheckTextBytes(request.prompt.size() + request.picture.negative.value_or("").size(),
                 engine_.info().context_tokens);
  http::BudgetShare share(picture_budget_);
  std::vector<Part> parts = DecodePictures(request.images, options_.picture_limits, share);
  if (reply->cancelled()) {
    return;
  }
  parts.emplace_back(std::move(request.prompt));
  PictureRequest picture = MakePictureRequest(request.picture, std::move(parts),
                                              engine_.info().picture.value_or(PictureSize()));
  ImagesCall::Settings settings;
  settings.count = request.count;
  settings.format = request.format;
  settings.quality = request.quality;
  settings.as_url = request.as_url;
  settings.stream = request.stream;
  settings.partial_images = request.partial_images;
  settings.event_stem = edit ? "image_edit" : "image_generation";
  settings.recipe = RecipeOf(picture, engine_.info().name);
  std::make_shared<ImagesCall>(engine_, reply, std::move(picture), std::move(settings),
                               std::move(share))
      ->Start();
}

}  // namespace bagel::api
