// Gets a token without waiting for it, in two ways: with a future, and told by a callback.
//
//     APIVIDEO_API_KEY=... ./async

#include <apivideo.hpp>
#include <chrono>
#include <condition_variable>
#include <future>
#include <iostream>
#include <mutex>

namespace {

// Stands for the program's event loop: somebody else's thread can wake it.
class event_loop {
public:
    void wake() {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_awake_ = true;
        changed_.notify_one();
    }

    void run_until_woken() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return is_awake_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_awake_ = false;
};

void with_a_future(const apivideo::client& client) {
    // Returns at once; the exchange is made on a thread of the library.
    std::future<apivideo::token> future = client.get_token_async();

    int turns = 0;
    while (future.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
        ++turns;  // Do something useful here.
    }
    const apivideo::token token = future.get();  // Throws the error if there was one.
    std::cout << "The future came after " << turns << " turns; its token is good for "
              << token.expires_in().count() << " ms.\n";
}

void with_a_callback(const apivideo::client& client) {
    // Outlives the operation: destroying that may be what calls the callback.
    event_loop loop;
    // Good for five minutes at least.
    const apivideo::operation operation = client.get_token_start(std::chrono::minutes(5));

    // It may be called on another thread, so it only wakes the loop.
    operation.on_complete([&loop] { loop.wake(); });
    loop.run_until_woken();

    // It is complete: wait() does not wait. This is the form that does not throw.
    const apivideo::result<apivideo::token> token = operation.try_wait();
    if (token) {
        std::cout << "The callback came; its token is good for " << token->expires_in().count()
                  << " ms.\n";
    } else {
        std::cout << "The callback came, without a token: " << token.error().what() << '\n';
    }
}

}  // namespace

int main() {
    try {
        const apivideo::client client = apivideo::client::from_environment();
        with_a_future(client);
        with_a_callback(client);
        return 0;
    } catch (const apivideo::error& why) {
        std::cerr << why.what() << '\n';
        return 1;
    }
}
