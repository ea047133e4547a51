#include "http/router.h"

#include <utility>

namespace bagel::http {

void Router::Add(std::string method, std::string path, Work work, Handler handler) {
  routes_.push_back({std::move(method), std::move(path), work, std::move(handler)});
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  for (const Route& route : routes_) {
    if (route.path != path) {
      continue;
    }
    match.path_known = true;
    if (route.method == method) {
      match.route = &route;
      break;
    }
  }
  return match;
}

}  // namespace bagel::http
