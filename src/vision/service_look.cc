// The routes that look and listen.
#include <spdlog/spdlog.h>

#include <utility>

#include "base/error.h"
#include "vision/json_line.h"
#include "vision/remote_objects.h"
#include "vision/service.h"
#include "vision/stopwatch.h"
#include "vision/uploads.h"
#include "vision/words.h"

namespace bagel::vision {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kFrameSlice{200};  // how soon a client that went away is noticed
constexpr size_t kLongestText = 4'000;    // bytes that a person said

// As in a report.
Json ObjectsJson(const std::vector<Object>& objects) {
  Json list = Json::array();
  for (const Object& object : objects) {
    list.push_back({{"label", object.label},
                    {"score", object.score},
                    {"box",
                     {{"x", object.box.x},
                      {"y", object.box.y},
                      {"width", object.box.width},
                      {"height", object.box.height}}}});
  }
  return list;
}

}  // namespace

// One client that waits for a look.
struct Service::Call {
  Call(Service& service, Reply to, bool streamed, const char* what)
      : reply(std::move(to)),
        stream(streamed),
        kind(what),
        id(service.next_call_++),
        privacy_switches(service.privacy_switches_) {
    reply->OnCancel([flag = gone] { *flag = true; });
  }

  const Reply reply;
  const bool stream;
  const char* const kind;
  const uint64_t id;
  const uint64_t privacy_switches;
  const std::shared_ptr<std::atomic<bool>> gone = std::make_shared<std::atomic<bool>>(false);
  const Clock::time_point received = Clock::now();
  bool uses_camera = true;
  std::function<bool()> stop;
};

void Service::AddLookRoutes(http::Router& router) {
  const auto add = [&](const char* path, auto function) {
    router.Add("POST", path, http::Work::kHeavy,
               Guarded([this, function](const http::HttpRequest& request, const Reply& reply) {
                 (this->*function)(request, reply);
               }));
  };
  add("/look", &Service::Look);
  add("/see", &Service::See);
  add("/hear", &Service::Hear);
  add("/detect", &Service::Detect);
}

void Service::Look(const http::HttpRequest& request, const Reply& reply) {
  const Json json = UploadedObject(request);
  const JsonObject body(json, "request");
  LookOptions options = options_.look;
  options.mood = body.Bool("emotion", options.mood);
  const auto call = std::make_shared<Call>(*this, reply, body.Bool("stream", false), "look");
  Enqueue(call, [this, options](Call& running) { return LookNow(running, options); });
}

void Service::See(const http::HttpRequest& request, const Reply& reply) {
  const cv::Mat bgr = UploadedPicture(request);
  const bool stream = request.query == "stream=true";
  const auto call = std::make_shared<Call>(*this, reply, stream, "see");
  call->uses_camera = false;
  Enqueue(call, [this, bgr](Call& running) { return SeePicture(running, bgr); });
}

// A look whose report is the answer.
void Service::Enqueue(const std::shared_ptr<Call>& call, std::function<Report(Call&)> look) {
  const auto run = [look = std::move(look)](Call& running) {
    const Report report = look(running);
    if (running.stream) {
      running.reply->End();
    } else {
      running.reply->Send(200, kJsonType, ToJson(report));
    }
  };
  if (!looks_.Add([gone = call->gone] { return !*gone; }, JobOf(call, run))) {
    Refuse(call->reply, 503, "too many looks are waiting", "queue_full");
  }
}

// What a job of the queue does around its work: the stream's begin, and what is thrown.
std::function<void()> Service::JobOf(const std::shared_ptr<Call>& call,
                                     std::function<void(Call&)> run) {
  call->stop = [this, gone = call->gone, switches = call->privacy_switches,
                camera = call->uses_camera] {
    return *gone || (camera && switches != privacy_switches_);
  };
  return [this, call, run = std::move(run)] {
    if (call->stream) {
      call->reply->Begin(200, kEventStream);
    }
    std::string message;
    int status = 500;
    try {
      run(*call);
      return;
    } catch (const Error& error) {
      status = HttpStatus(error.kind());
      message = error.what();
    } catch (const std::exception& error) {
      spdlog::error("{} {}: {}", call->kind, call->id, error.what());
      message = "internal error";
    }
    if (*call->gone) {
      metrics_.CountCancelled();
      spdlog::info("{} {}: its client went away after {:.0f} ms", call->kind, call->id,
                   MillisecondsSince(call->received));
    } else {
      metrics_.CountRefused("error");
      spdlog::warn("{} {}: {}", call->kind, call->id, WithoutControlBytes(message, false));
    }
    Tell(*call, "error", {{"look", call->id}, {"message", message}});
    if (call->stream) {
      call->reply->End();
    } else {
      call->reply->Send(status, kJsonType, JsonLine({{"error", message}}));
    }
  };
}

void Service::Tell(Call& call, const char* event, const Json& data, bool to_all) {
  const std::string text = JsonLine(data);
  if (to_all) {
    events_.Publish(event, text);
  }
  if (call.stream) {
    call.reply->Write(EventText(event, text));
  }
}

// A frame that was taken after the client asked, or the camera's state.
Camera::View Service::FreshView(Call& call) {
  const Clock::time_point end = Clock::now() + options_.frame_patience;
  while (true) {
    Camera::View view = parts_.camera.Newest(kFrameSlice, call.received);
    const bool may_come = view.state == State::kStarting || view.state == State::kStale ||
                          view.state == State::kBlurred;
    if (!may_come || call.stop() || Clock::now() >= end) {
      return view;
    }
  }
}

LookEvents Service::EventsOf(Call& call) {
  LookEvents events;
  events.person_words = [this, &call](std::string_view words) {
    Tell(call, "word", {{"look", call.id}, {"text", words}});
  };
  events.mood = [this, &call](const Mood& mood) {
    Tell(call, "mood", {{"look", call.id}, {"label", mood.label}, {"reason", mood.reason}});
  };
  events.objects = [this, &call](const std::vector<Object>& objects) {
    Tell(call, "objects", {{"look", call.id}, {"objects", ObjectsJson(objects)}});
  };
  return events;
}

Report Service::Reported(Call& call, const Camera::View& view, const std::string& camera,
                         const LookOptions& options) {
  Report report = parts_.looker.Look(view, camera, options, EventsOf(call), call.stop);
  const double ms = MillisecondsSince(call.received);
  metrics_.CountReport(report, ms / 1000);
  spdlog::info("{} {}: {}, {}x{}, {} faces, {} letters, {:.0f} ms", call.kind, call.id,
               StateName(report.state), report.frame_size.width, report.frame_size.height,
               report.faces.size(), report.person.size(), ms);
  Tell(call, "report", Json::parse(ToJson(report)));
  return report;
}

Report Service::LookNow(Call& call, const LookOptions& options) {
  const std::string& camera = parts_.camera.name();
  Tell(call, "look_started", {{"look", call.id}, {"camera", camera}});
  Report report;
  try {
    const Camera::View view = FreshView(call);
    report = Reported(call, view, camera, options);
    if (!options_.save.empty()) {
      Save(view.frame.bgr, report);
    }
  } catch (const Error& error) {
    // Stopped by the switch and not by the client: the look answers so.
    if (error.kind() != ErrorKind::kCancelled || *call.gone) {
      throw;
    }
    report = Reported(call, {State::kPrivacy, {}, "the camera was switched off"}, camera, options);
  }
  const std::lock_guard lock(mutex_);
  if (report.state != State::kPrivacy && call.privacy_switches == privacy_switches_) {
    latest_ = report;
  }
  return report;
}

// A full disk does not make her blind.
void Service::Save(const cv::Mat& bgr, const Report& report) {
  try {
    SaveLook(options_.save, bgr, report);
  } catch (const Error& error) {
    spdlog::warn("{}", error.what());
  }
}

Report Service::SeePicture(Call& call, const cv::Mat& bgr) {
  Tell(call, "look_started", {{"look", call.id}, {"camera", "upload"}});
  Camera::View view;
  view.state = State::kOk;
  view.frame.bgr = bgr;
  view.frame.captured_at = std::chrono::system_clock::now();
  view.frame.received = Clock::now();
  return Reported(call, view, "upload", options_.look);
}

void Service::Hear(const http::HttpRequest& request, const Reply& reply) {
  const Json json = UploadedObject(request);
  const JsonObject body(json, "request");
  const std::string text = body.String("text");
  if (text.empty() || text.size() > kLongestText) {
    throw Error(ErrorKind::kInvalidArgument,
                "text must have 1 to 4000 bytes, not " + std::to_string(text.size()));
  }
  const auto call = std::make_shared<Call>(*this, reply, body.Bool("stream", false), "hear");
  auto job = JobOf(call, [this, text](Call& running) { AnswerHeard(running, text); });
  if (!looks_.Add([gone = call->gone] { return !*gone; }, std::move(job))) {
    Refuse(reply, 503, "too many looks are waiting", "queue_full");
  }
}

// What a person said goes to the text model alone, not to those who listen to events.
void Service::AnswerHeard(Call& call, const std::string& text) {
  Json result = {{"looked", false}, {"report", nullptr}, {"answer", ""}};
  std::string context, seen;
  if (parts_.triggers.Find(text)) {
    const Report report = LookNow(call, options_.look);
    result["looked"] = true;
    result["report"] = Json::parse(ToJson(report));
    context = ToContext(report);
    seen = ToText(report);
  }
  if (parts_.language != nullptr) {
    const auto on_word = [&](std::string_view words) {
      Tell(call, "answer", {{"text", words}}, false);
    };
    const auto stop = [&call] { return call.gone->load(); };
    result["answer"] = parts_.language->Answer(text, context, on_word, stop).text;
  } else {
    result["answer"] = seen;
    Tell(call, "answer", {{"text", seen}}, false);
  }
  if (call.stream) {
    Tell(call, "done", result, false);
    call.reply->End();
  } else {
    call.reply->Send(200, kJsonType, JsonLine(result));
  }
}

void Service::Detect(const http::HttpRequest& request, const Reply& reply) {
  if (parts_.objects == nullptr) {
    throw Error(ErrorKind::kUnsupported, "this sophia has no object detector (--objects)");
  }
  const cv::Mat bgr = UploadedPicture(request);
  const auto call = std::make_shared<Call>(*this, reply, false, "detect");
  call->uses_camera = false;
  const auto run = [this, bgr](Call& running) {
    const std::vector<Object> objects = parts_.objects->Find(bgr);
    spdlog::info("detect {}: {}x{}, {} objects, {:.0f} ms", running.id, bgr.cols, bgr.rows,
                 objects.size(), MillisecondsSince(running.received));
    running.reply->Send(200, kJsonType, ObjectsToJson(objects, parts_.objects->Name(), bgr.size()));
  };
  if (!detections_.Add([gone = call->gone] { return !*gone; }, JobOf(call, run))) {
    Refuse(reply, 503, "too many pictures are waiting", "queue_full");
  }
}

}  // namespace bagel::vision
