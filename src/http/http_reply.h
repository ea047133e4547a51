// The way back to one client: written by any thread, sent by the connection.
#ifndef BAGEL_HTTP_HTTP_REPLY_H_
#define BAGEL_HTTP_HTTP_REPLY_H_

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "http/http_message.h"

namespace bagel::http {

// One reply, either whole (Send) or in pieces (Begin, Write..., End). All functions may be called
// from any thread and never wait. What is written after the client has gone is thrown away.
class HttpReply {
 public:
  struct Frame {
    bool http11 = true;         // else HTTP/1.0: no chunks, and the connection ends with the reply
    bool keep_alive = true;     // announced in the head
    bool head_only = false;     // a HEAD request: the body is left out
    std::string extra_headers;  // complete lines, each with CRLF
  };

  // `wake` is called whenever there is something new to send. It runs under this reply's lock, so
  // it may only hand over (post), and it is never called again once Detach has returned.
  HttpReply(Frame frame, std::size_t unsent_limit, std::function<void()> wake);

  // `headers` are complete lines, each with CRLF.
  void Send(int status, std::string_view content_type, std::string_view body,
            std::string_view headers = "");

  void Begin(int status, std::string_view content_type);
  void Write(std::string_view piece);
  void End();

  bool started() const;    // a head has been written
  int status() const;      // of that head, 0 before
  bool cancelled() const;  // the client is gone or does not read

  // `action` is called once, as soon as the reply is cancelled (at once if it already is), unless
  // the reply was ended before. It may be called on any thread.
  void OnCancel(std::function<void()> action);

  // The connection's side.
  struct Outgoing {
    std::string bytes;
    bool ended = false;  // nothing follows
  };
  Outgoing Take();  // what has to be sent now
  void Cancel();
  void Detach();  // the connection ends: cancel unless ended, and never wake again
  bool keep_alive() const { return frame_.keep_alive; }

 private:
  std::string Head(int status, std::string_view content_type, std::string_view more_lines) const;
  void Wake();  // with mutex_ held
  void RunCancelAction(std::unique_lock<std::mutex> lock);

  const Frame frame_;
  const std::size_t unsent_limit_;
  mutable std::mutex mutex_;
  std::function<void()> wake_;
  std::function<void()> cancel_action_;
  std::string pending_;
  int status_ = 0;
  bool ended_ = false;
  bool cancelled_ = false;
};

}  // namespace bagel::http

#endif  // BAGEL_HTTP_HTTP_REPLY_H_
