#include "api/generate_call.h"

#include <gtest/gtest.h>

#include <string>

#include "api/ollama.h"

namespace bagel::api {
namespace {

TEST(TextTrimmer, ShowsEverythingButTheEndsWhiteSpace) {
  TextTrimmer trimmer;
  EXPECT_EQ(trimmer.Push(" \n"), "");
  EXPECT_EQ(trimmer.Push(" a "), "a");
  EXPECT_EQ(trimmer.Push("\n"), "");
  EXPECT_EQ(trimmer.Push(" b"), " \n b");
  EXPECT_EQ(trimmer.Push("c d\n\n"), "c d");
  EXPECT_EQ(trimmer.Push("  "), "");
}

TEST(DumpJson, IsAsciiAlone) {
  EXPECT_EQ(DumpJson({{"a", "é\u0085\u2028\x1c\xff😀"}}),
            R"({"a":"\u00e9\u0085\u2028\u001c\ufffd\ud83d\ude00"})");
}

TEST(ParameterSize, ReadsLikeOllamas) {
  EXPECT_EQ(ParameterSize(14'693'021'123), "14.7B");
  EXPECT_EQ(ParameterSize(9'900'000), "9.9M");
  EXPECT_EQ(ParameterSize(1'500), "1.5K");
  EXPECT_EQ(ParameterSize(12), "12");
}

std::string BytesOf(http::HttpReply& reply) { return reply.Take().bytes; }

std::shared_ptr<http::HttpReply> NewReply(size_t limit = 1 << 20) {
  return std::make_shared<http::HttpReply>(http::HttpReply::Frame{}, limit, nullptr);
}

TEST(GenerateCall, AnErrorAfterTheFirstPieceIsTheLastLine) {
  const auto reply = NewReply();
  GenerateCall call(reply, {}, http::BudgetShare());
  call.On(TextPiece{"a", false});
  call.On(Error(ErrorKind::kInternal, "broke"));
  const std::string bytes = BytesOf(*reply);
  EXPECT_TRUE(bytes.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(bytes.ends_with("{\"error\":\"broke\"}\n\r\n0\r\n\r\n"));
}

TEST(GenerateCall, AnErrorBeforeItHasAStatus) {
  const auto reply = NewReply();
  GenerateCall call(reply, {}, http::BudgetShare());
  call.On(Error(ErrorKind::kUnavailable, "busy"));
  const std::string bytes = BytesOf(*reply);
  EXPECT_TRUE(bytes.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_TRUE(bytes.ends_with("{\"error\":\"busy\"}"));
}

TEST(GenerateCall, ThinkingGoesToItsOwnField) {
  const auto reply = NewReply();
  GenerateCall call(reply, {}, http::BudgetShare());
  call.On(TextPiece{"hm ", true});
  EXPECT_NE(BytesOf(*reply).find(R"("response":"","thinking":"hm","done":false})"),
            std::string::npos);
}

TEST(HttpReply, CancelsWhoDoesNotRead) {
  const auto reply = NewReply(1000);
  int cancelled = 0;
  reply->OnCancel([&] { ++cancelled; });
  reply->Begin(200, "text/plain");
  for (int i = 0; i < 100; ++i) {
    reply->Write(std::string(100, 'x'));
  }
  EXPECT_EQ(cancelled, 1);
  EXPECT_TRUE(reply->cancelled());
  EXPECT_EQ(BytesOf(*reply), "");
  reply->OnCancel([&] { ++cancelled; });
  EXPECT_EQ(cancelled, 2);
}

TEST(HttpReply, DetachCancelsOnlyWhatIsNotEnded) {
  int cancelled = 0;
  const auto running = NewReply();
  running->OnCancel([&] { ++cancelled; });
  running->Detach();
  EXPECT_EQ(cancelled, 1);
  const auto ended = NewReply();
  ended->OnCancel([&] { ++cancelled; });
  ended->Send(200, "", "");
  ended->Detach();
  EXPECT_EQ(cancelled, 1);
}

TEST(HttpReply, SpeaksToOldClientsWithoutChunks) {
  http::HttpReply::Frame frame;
  frame.http11 = false;
  frame.keep_alive = false;
  http::HttpReply reply(frame, 1000, nullptr);
  reply.Begin(200, "text/plain");
  reply.Write("abc");
  reply.End();
  const std::string bytes = BytesOf(reply);
  EXPECT_TRUE(bytes.starts_with("HTTP/1.0 200 OK\r\n"));
  EXPECT_TRUE(bytes.ends_with("Connection: close\r\n\r\nabc"));
}

}  // namespace
}  // namespace bagel::api
