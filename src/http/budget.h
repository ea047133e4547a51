// A shared allowance of bytes, so that many clients together cannot fill the memory.
#ifndef BAGEL_HTTP_BUDGET_H_
#define BAGEL_HTTP_BUDGET_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace bagel::http {

class Budget {
 public:
  explicit Budget(int64_t limit) : limit_(limit) {}

  // False, and nothing taken, if less than `bytes` is left.
  bool Take(int64_t bytes) {
    if (used_.fetch_add(bytes) + bytes <= limit_) {
      return true;
    }
    used_ -= bytes;
    return false;
  }
  void Give(int64_t bytes) { used_ -= bytes; }
  int64_t used() const { return used_; }

 private:
  const int64_t limit_;
  std::atomic<int64_t> used_{0};
};

// What one owner has taken; given back when it goes.
class BudgetShare {
 public:
  BudgetShare() = default;
  explicit BudgetShare(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  BudgetShare(BudgetShare&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  BudgetShare& operator=(BudgetShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~BudgetShare() {
    if (budget_) {
      budget_->Give(bytes_);
    }
  }

  // Raises the share to `bytes` in all; false, and nothing changed, if the budget does not allow
  // it.
  bool GrowTo(int64_t bytes) {
    if (bytes <= bytes_) {
      return true;
    }
    if (!budget_->Take(bytes - bytes_)) {
      return false;
    }
    bytes_ = bytes;
    return true;
  }

 private:
  std::shared_ptr<Budget> budget_;
  int64_t bytes_ = 0;
};

}  // namespace bagel::http

#endif  // BAGEL_HTTP_BUDGET_H_
