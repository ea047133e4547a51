// Small things that a connection needs besides sockets: fixed texts, log texts, a look at the peer.
#ifndef BAGEL_HTTP_SOCKET_TEXT_H_
#define BAGEL_HTTP_SOCKET_TEXT_H_

#include <string>
#include <string_view>

namespace bagel::http {

// True once the peer has closed its side. Unread (pipelined) requests do not hide it.
bool PeerClosed(int descriptor);

// Letters of ASCII in lower case.
std::string Lower(std::string_view text);

// The plain body of a status that the server answers by itself; "" for those without one.
std::string PlainText(int status);

// For the log: control and non-ASCII bytes as \xNN, cut at 200 characters.
std::string Printable(std::string_view text);

}  // namespace bagel::http

#endif  // BAGEL_HTTP_SOCKET_TEXT_H_
