// bagel generate and bagel edit: words, or pictures and words, in; pictures out.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "commands.h"
#include "engine/drawing.h"
#include "engine/engine.h"
#include "engine/recipe.h"
#include "event_queue.h"
#include "formats/mapped_file.h"
#include "formats/picture_file.h"
#include "interrupt.h"
#include "model/config.h"
#include "model_option.h"
#include "preview.h"
#include "progress.h"
#include "terminal.h"

namespace bagel {
namespace {

namespace fs = std::filesystem;

struct DrawOptions {
  ModelOptions engine;
  bool edit = false;
  std::vector<std::string> images;
  std::optional<std::string> prompt, negative;
  std::string out = "out.png";
  std::optional<int> width, height;
  std::optional<std::string> ratio;
  std::optional<std::string> like;
  std::optional<int> steps;
  std::optional<uint64_t> seed;
  std::optional<double> cfg_text, cfg_img, shift, renorm_min;
  std::vector<double> interval;
  std::optional<std::string> renorm;
  bool taylorseer = false;
  bool think = false;
  int count = 1;
  bool preview = false;
  bool force = false;
};

// The official demo's sizes, made smaller for a model whose usual picture is.
PictureSize SizeOfRatio(const std::string& ratio, PictureSize usual) {
  const std::pair<const char*, PictureSize> sizes[] = {{"1:1", {1024, 1024}},
                                                       {"3:4", {768, 1024}},
                                                       {"4:3", {1024, 768}},
                                                       {"9:16", {576, 1024}},
                                                       {"16:9", {1024, 576}}};
  const int longer = std::max(usual.width, usual.height);
  for (const auto& [name, size] : sizes) {
    if (ratio == name) {
      return {size.width * longer / 1024, size.height * longer / 1024};
    }
  }
  throw Error(ErrorKind::kInvalidArgument,
              "ratio '" + ratio + "' is not one of 1:1, 3:4, 4:3, 9:16, 16:9");
}

constexpr PictureSize kPublishedSize = {1024, 1024};

void CheckSizeOptions(const DrawOptions& options) {
  if (options.ratio && (options.width || options.height)) {
    throw Error(ErrorKind::kInvalidArgument, "give --ratio, or --width and --height");
  }
  if (options.width.has_value() != options.height.has_value()) {
    throw Error(ErrorKind::kInvalidArgument, "--width and --height go together");
  }
  if (options.ratio) {
    SizeOfRatio(*options.ratio, kPublishedSize);
  }
}

void ApplyFlow(const DrawOptions& options, FlowSettings& flow) {
  flow.steps = options.steps.value_or(flow.steps);
  flow.shift = options.shift.value_or(flow.shift);
  flow.text_scale = options.cfg_text.value_or(flow.text_scale);
  flow.image_scale = options.cfg_img.value_or(flow.image_scale);
  flow.renorm_min = options.renorm_min.value_or(flow.renorm_min);
  flow.taylorseer = flow.taylorseer || options.taylorseer;
  if (options.renorm) {
    flow.renorm = RenormFromName(*options.renorm);
  }
  if (!options.interval.empty()) {
    flow.interval_low = options.interval[0];
    flow.interval_high = options.interval[1];
  }
}

// Everything that can be wrong without the model is found here.
PictureRequest RequestOf(const DrawOptions& options) {
  PictureRequest request;
  std::string prompt;
  if (options.edit) {
    request.flow = EditFlowSettings();
  }
  if (options.like) {
    const PictureRecipe recipe =
        ReadRecipe(ReadPngTexts(MappedFile(*options.like).bytes()), *options.like);
    prompt = recipe.prompt;
    request.negative = recipe.negative;
    request.flow = recipe.flow;
    request.seed = recipe.seed;
    request.think = recipe.think;
    request.size = recipe.size;
  }
  prompt = options.prompt.value_or(prompt);
  CheckSizeOptions(options);
  if (options.width) {
    request.size = PictureSize{*options.width, *options.height};
  }
  request.negative = options.negative.value_or(request.negative);
  request.seed = options.seed ? options.seed : request.seed;
  if (!request.seed) {
    request.seed = std::random_device{}();
  }
  request.think = request.think || options.think;
  ApplyFlow(options, request.flow);
  CheckFlowSettings(request.flow);
  for (const std::string& image : options.images) {
    request.parts.emplace_back(ReadPictureFile(image));
  }
  request.parts.emplace_back(prompt);
  return request;
}

// "out.png" for one picture; "out-1.png", "out-2.png", ... for several.
std::string NameOf(const DrawOptions& options, int index) {
  if (options.count == 1) {
    return options.out;
  }
  const fs::path path(options.out);
  return (path.parent_path() /
          (path.stem().string() + "-" + std::to_string(index + 1) + path.extension().string()))
      .string();
}

void CheckNames(const DrawOptions& options) {
  CheckPictureName(options.out);
  for (int i = 0; i < options.count; ++i) {
    const std::string name = NameOf(options, i);
    std::error_code error;
    if (!options.force && fs::exists(name, error)) {
      throw Error(ErrorKind::kInvalidArgument, name + " exists; --force replaces it");
    }
    if (!options.force && options.preview && fs::exists(PreviewName(name), error)) {
      throw Error(ErrorKind::kInvalidArgument,
                  PreviewName(name) + ", the place for previews, exists; --force replaces it");
    }
    const fs::path folder = fs::path(name).parent_path();
    if (!folder.empty() && !fs::is_directory(folder, error)) {
      throw Error(ErrorKind::kNotFound, folder.string() + ": no such folder");
    }
    CheckWritable(name);
  }
}

// What is shown while a picture is drawn: the steps, and previews at most once a second.
class DrawingView {
 public:
  // `wished` is the size that was asked for, 0 where the picture gets another anyway.
  DrawingView(const DrawOptions& options, const std::string& name, PictureSize wished, Job& job)
      : wants_previews_(options.preview), name_(name), wished_(wished), job_(job), previews_(name) {
    if (wants_previews_) {
      job_.AskPreview();
    }
  }

  void Show(const PictureProgress& progress) {
    if (!bar_) {
      reading_.reset();
      bar_.emplace(name_, static_cast<uint64_t>(progress.moves));
      if (wished_.width > 0 && wished_ != progress.size) {
        std::fprintf(stderr, "%s: %dx%d, rounded from %dx%d\n", name_.c_str(), progress.size.width,
                     progress.size.height, wished_.width, wished_.height);
      }
    }
    const auto now = std::chrono::steady_clock::now();
    if (progress.preview.width > 0) {
      previews_.Show(progress.preview);
      last_preview_ = now;
    }
    if (wants_previews_ && now - last_preview_ >= std::chrono::seconds(1)) {
      job_.AskPreview();
    }
    bar_->Set(
        static_cast<uint64_t>(progress.moves_done),
        "step " + std::to_string(progress.moves_done) + " of " + std::to_string(progress.moves));
  }

 private:
  const bool wants_previews_;
  const std::string name_;
  const PictureSize wished_;
  Job& job_;
  PreviewShower previews_;
  std::optional<Progress> reading_{std::in_place, "reading the inputs"};
  std::optional<ProgressBar> bar_;
  std::chrono::steady_clock::time_point last_preview_;
};

// Submits and shows progress until the end. Throws the request's error.
PictureResult DrawOne(Engine& engine, const PictureRequest& request, const DrawOptions& options,
                      const std::string& name) {
  // Shared: an error below leaves while the engine still has events to give.
  const auto queue = std::make_shared<EventQueue<PictureEvent>>();
  const PictureSize wished = options.edit ? PictureSize() : request.size.value_or(PictureSize());
  const std::shared_ptr<Job> job =
      engine.SubmitPicture(request, [queue](PictureEvent event) { queue->Push(std::move(event)); });
  DrawingView view(options, name, wished, *job);
  while (true) {
    const std::optional<PictureEvent> event = queue->Pop();
    if (Interrupted()) {
      job->Cancel();
    }
    if (!event) {
      continue;
    }
    if (const auto* progress = std::get_if<PictureProgress>(&*event)) {
      view.Show(*progress);
    } else if (const auto* error = std::get_if<Error>(&*event)) {
      throw *error;
    } else {
      return std::get<PictureResult>(*event);
    }
  }
}

void TellOf(const std::string& name, const PictureResult& result) {
  std::fprintf(stderr,
               "%s: %dx%d, seed %llu, inputs %.2f s, %d steps with %d passes %.2f s, picture "
               "%.2f s\n",
               name.c_str(), result.picture.width, result.picture.height,
               static_cast<unsigned long long>(result.seed), result.prepare_ms / 1000,
               result.flow.steps - 1, result.forwards, result.draw_ms / 1000,
               result.decode_ms / 1000);
  if (!result.plan.empty()) {
    std::fprintf(stderr, "%s\n", PrintableOn(stderr, result.plan).c_str());
  }
}

void Draw(const DrawOptions& options) {
  CheckNames(options);
  PictureRequest request = RequestOf(options);
  const std::string prompt = std::get<std::string>(request.parts.back());
  const BagelConfig config = LoadBagelConfig(FindModel(options.engine.model));
  if (options.ratio) {
    request.size = SizeOfRatio(*options.ratio, DrawnSize({}, config));
  }
  CheckPictureRequest(request, config);
  const std::unique_ptr<Engine> engine = LoadEngine(options.engine);
  CatchInterrupts();
  for (int i = 0; i < options.count; ++i) {
    const std::string name = NameOf(options, i);
    const PictureResult result = DrawOne(*engine, request, options, name);
    if (result.finish_reason == FinishReason::kCancelled) {
      throw Error(ErrorKind::kCancelled, "interrupted");
    }
    const PictureSize size = {result.picture.width, result.picture.height};
    WritePicture(name, result.picture,
                 RecipeTexts({prompt, request.negative, result.seed, size, result.flow,
                              request.think, engine->info().name}),
                 options.force);
    TellOf(name, result);
    *request.seed += 1;
  }
}

void AddDrawOptions(CLI::App& command, DrawOptions& options) {
  AddEngineOptions(command, options.engine);
  command.add_option("--prompt", options.prompt, "What to draw, or what to change");
  command.add_option("--negative", options.negative, "What to stay away from");
  command.add_option("-o,--out", options.out, "A .png, .jpg or .webp file")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_option("--steps", options.steps, "Times from noise to picture; without it 50");
  command.add_option("--seed", options.seed, "Makes the picture repeatable; without it random")
      ->check(SeedNumber());
  command.add_option("--cfg-text", options.cfg_text, "How much the text counts, <= 1 = off");
  command.add_option("--cfg-img", options.cfg_img, "How much input pictures count, <= 1 = off");
  command
      .add_option("--cfg-interval", options.interval, "Times with guidance, from 1 (noise) to 0")
      ->type_name("LOW,HIGH")
      ->delimiter(',')
      ->expected(2);
  command.add_option("--timestep-shift", options.shift, "More steps near the noise; without it 3");
  command.add_option("--cfg-renorm", options.renorm, "How guided steps get back to their length")
      ->type_name("global|channel|text_channel");
  command.add_option("--cfg-renorm-min", options.renorm_min, "Least factor of the renorm");
  command.add_flag("--taylorseer", options.taylorseer, "Extrapolates two of three later steps");
  command.add_flag("--think", options.think, "Plans in words first");
  command.add_option("--count", options.count, "Pictures, with one seed after the other")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--like", options.like, "A PNG made here whose prompt and settings to repeat")
      ->type_name("FILE");
  command.add_flag("--preview", options.preview, "Shows the current guess, or keeps it as a file");
  command.add_flag("--force", options.force, "Replaces files that exist");
}

}  // namespace

void AddGenerate(CLI::App& app) {
  // Lives as long as the command line that refers to it.
  auto options = std::make_shared<DrawOptions>();
  CLI::App& command = *app.add_subcommand("generate", "Draws a picture from words");
  AddDrawOptions(command, *options);
  command.add_option("--width", options->width, "Pixels, 128 to 1024");
  command.add_option("--height", options->height, "Pixels, 128 to 1024");
  command.add_option("--ratio", options->ratio, "Width to height, instead")
      ->type_name("1:1|3:4|4:3|9:16|16:9");
  command.footer("Example: bagel generate --prompt \"A red apple\" --ratio 4:3 -o apple.png");
  command.callback([options] { Draw(*options); });
}

void AddEdit(CLI::App& app) {
  auto options = std::make_shared<DrawOptions>();
  options->edit = true;
  CLI::App& command = *app.add_subcommand("edit", "Changes a picture as words say");
  command.add_option("--image", options->images, "A JPEG, PNG or WebP file; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->required();
  AddDrawOptions(command, *options);
  command.footer("Example: bagel edit --image cat.jpg --prompt \"Give it a hat\" -o hat.png");
  command.callback([options] { Draw(*options); });
}

}  // namespace bagel
