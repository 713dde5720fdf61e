// apivideo.hpp against a local sandbox, whose base URL is in APIVIDEO_TEST_URL.
//
// Ends with "N passed, N failed", and with status 1 if anything failed.

#include "environment.h"
#include "sockets.h"

#include <apivideo.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using apivideo::client;
using apivideo::config;
using apivideo::error;
using apivideo::log_level;
using apivideo::milliseconds;
using apivideo::operation;
using apivideo::result;
using apivideo::statistic;
using apivideo::statistics;
using apivideo::status;
using apivideo::token;
using apivideo::token_state;

// --- Checks ---

std::atomic<int> passed{0};
std::atomic<int> failed{0};

void check(bool ok, const char* what, int line) {
    ++(ok ? passed : failed);
    if (!ok) {
        std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, line, what);
    }
}

#define CHECK(condition) check((condition), #condition, __LINE__)

/// The status that a call throws as an error; ok if it throws nothing.
template <typename Call>
status thrown_by(const Call& call) {
    try {
        call();
    } catch (const error& why) {
        CHECK(why.what()[0] != '\0');
        return why.status();
    }
    return status::ok;
}

/// Waits for what other threads are about to do.
bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000; ++i) {
        if (condition()) {
            return true;
        }
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

// --- The sandbox ---

std::string base_url;

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(2);
}

/// Sends one request to the sandbox's control endpoint.
void tell_sandbox(const std::string& path, const std::string& body = "", const std::string& method = "POST") {
    const std::string prefix = "http://127.0.0.1:";
    if (base_url.compare(0, prefix.size(), prefix) != 0) {
        give_up("APIVIDEO_TEST_URL must be http://127.0.0.1:PORT");
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(base_url.substr(prefix.size()))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const socket_handle fd = open_socket();
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        give_up("there is no sandbox at " + base_url);
    }
    const std::string request = method + " /_sandbox/" + path +
                                " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                                "Content-Length: " +
                                std::to_string(body.size()) + "\r\n\r\n" + body;
    std::string reply;
    if (send_all(fd, request.data(), request.size())) {
        char buffer[1024];
        for (long n = 0; (n = receive(fd, buffer, sizeof buffer)) > 0;) {
            reply.append(buffer, static_cast<std::size_t>(n));
        }
    }
    close_socket(fd);
    if (reply.compare(0, 12, "HTTP/1.1 200") != 0) {
        give_up("the sandbox refused " + path + ": " + reply);
    }
}

/// Has the next `times` requests of the library wait before they are answered; 0: all.
void delay_requests(int ms, int times = 1) {
    tell_sandbox("faults", R"({"on":"auth","times":)" + std::to_string(times) +
                               R"(,"fault":{"kind":"delay","ms":)" + std::to_string(ms) + "}}");
}

config local() {
    config settings;
    settings.set_base_url(base_url);
    return settings;
}

client local_client() {
    return client("sandbox-key", local());
}

// --- Tests ---

static_assert(!std::is_copy_constructible_v<client> &&
              std::is_nothrow_move_constructible_v<client>);
static_assert(!std::is_copy_constructible_v<config> &&
              std::is_nothrow_move_constructible_v<config>);
static_assert(!std::is_copy_constructible_v<token> && std::is_nothrow_move_constructible_v<token>);
static_assert(!std::is_copy_constructible_v<operation> &&
              std::is_nothrow_move_constructible_v<operation>);
static_assert(!std::is_copy_constructible_v<apivideo::response> &&
              std::is_nothrow_move_constructible_v<apivideo::response>);
static_assert(!std::is_copy_constructible_v<statistics> &&
              std::is_nothrow_move_constructible_v<statistics>);
static_assert(!std::is_copy_constructible_v<apivideo::upload> &&
              std::is_nothrow_move_constructible_v<apivideo::upload>);
// An exception's copy must not throw.
static_assert(std::is_nothrow_copy_constructible_v<error>);

void test_version() {
    CHECK(apivideo::is_abi_compatible());
    CHECK(apivideo::version() == APIVIDEO_VERSION);
    CHECK(apivideo::to_string(status::timeout) == "timeout");
}

void test_first_token() {
    const client c = local_client();
    const token t = c.get_token();
    CHECK(!t.access_token().empty());
    CHECK(t.authorization() == "Bearer " + std::string(t.access_token()));
    CHECK(t.token_type() == "Bearer");
    // Of a token without a name it is a copy.
    static_assert(std::is_same_v<decltype(c.get_token().authorization()), std::string>);
    CHECK(c.get_token().authorization() == t.authorization());
    CHECK(c.get_token().access_token() == t.access_token());
    CHECK(c.get_token().refresh_token() == t.refresh_token());
    CHECK(!t.refresh_token().empty());
    CHECK(t.authorization().data()[t.authorization().size()] == '\0');
    CHECK(t.lifetime() == 1h);
    CHECK(t.expires_in() > 59min && t.expires_in() <= 1h);
    const auto left = t.expires_at() - std::chrono::system_clock::now();
    CHECK(left > 59min && left <= 1h);
    CHECK(c.get_token().id() == t.id());
    CHECK(c.get_token(30min).id() == t.id());
    CHECK(c.token_id() == t.id() && t.id() != 0);
    CHECK(c.get_token(-5s).id() == t.id());
}

void test_token_owners() {
    std::optional<client> c = local_client();
    std::optional<token> first = c->get_token();
    const std::string text(first->authorization());
    const token second = first->clone();
    CHECK(second.native_handle() == first->native_handle());
    token third = std::move(*first);
    first.reset();
    c.reset();
    CHECK(second.authorization() == text);
    CHECK(third.authorization() == text);
    third = second.clone();
    CHECK(third.authorization() == text);
}

void test_explicit_exchanges_without_waiting() {
    const client c = local_client();
    CHECK(thrown_by([&] { (void)c.refresh_start().wait(); }) == status::no_refresh_token);
    const token first = c.authenticate_start().wait();
    const token second = c.refresh_start().wait();
    CHECK(first.id() != second.id());
    CHECK(c.get_token().id() == second.id());
}

void test_explicit_exchanges() {
    const client c = local_client();
    CHECK(thrown_by([&] { c.refresh(); }) == status::no_refresh_token);
    const token first = c.authenticate();
    const token second = c.refresh();
    CHECK(first.access_token() != second.access_token());
    CHECK(c.get_token().access_token() == second.access_token());

    tell_sandbox("revoke", R"({"what":"refresh"})");
    const result<token> refused = c.try_refresh();
    CHECK(!refused && refused.error().status() == status::refresh_rejected);
    CHECK(!refused && refused.error().http_status() == 400);

    c.invalidate_token(first);
    CHECK(c.get_token().access_token() == second.access_token());
    c.invalidate_token(second);
    const token third = c.get_token();
    CHECK(third.access_token() != second.access_token());
    CHECK(thrown_by([&] { c.invalidate_token(third); }) == status::token_rejected);
}

void test_min_validity_too_long() {
    const client c = local_client();
    const result<token> wanted = c.try_get_token(2h);
    CHECK(!wanted);
    if (!wanted) {
        const error& why = wanted.error();
        CHECK(why.status() == status::invalid_argument);
        CHECK(why.what()[0] != '\0');
        CHECK(why.http_status() == 0);
        CHECK(why.problem_type().empty() && why.title().empty() && why.name().empty());
        CHECK(!why.is_retryable());
        CHECK(!why.retry_after());
    }
    CHECK(thrown_by([&] { static_cast<void>(c.get_token(2h)); }) == status::invalid_argument);
    const result<token> for_ever = c.try_get_token(apivideo::milliseconds::max());
    CHECK(!for_ever && for_ever.error().status() == status::invalid_argument);
}

void test_rejected_key() {
    const client c("not-the-key", local());
    std::optional<error> kept;
    try {
        static_cast<void>(c.get_token());
    } catch (const std::runtime_error& caught) {
        if (const auto* const why = dynamic_cast<const error*>(&caught)) {
            kept = *why;
        }
    }
    // A copy is good after the original is gone.
    CHECK(kept.has_value());
    if (kept) {
        CHECK(kept->status() == status::key_rejected);
        CHECK(kept->http_status() == 400);
        CHECK(!kept->title().empty());
        CHECK(!kept->problem_type().empty());
        CHECK(!kept->is_retryable());
        CHECK(std::string(kept->what()).find("not-the-key") == std::string::npos);
    }
}

void test_unavailable_server() {
    tell_sandbox("outage", R"({"seconds":30,"mode":"503"})");
    const client c = local_client();
    const result<token> got = c.try_get_token();
    CHECK(!got && got.error().status() == status::server_error);
    CHECK(!got && got.error().http_status() == 503);
    CHECK(!got && got.error().is_retryable());
    CHECK(!got && got.error().retry_after() && *got.error().retry_after() <= 30s);
    CHECK(thrown_by([&] { static_cast<void>(got.value()); }) == status::server_error);
}

void test_result() {
    result<int> seven(7);
    CHECK(seven && *seven == 7 && seven.value() == 7);
    seven.value() = 8;
    CHECK(*std::as_const(seven) == 8 && std::move(seven).value() == 8);
    const result<int> none(error(status::timeout, "too late"));
    CHECK(!none && none.error().status() == status::timeout);
    CHECK(none.error().what() == std::string("too late"));
    CHECK(!none.error().retry_after() && none.error().http_status() == 0);
    CHECK(thrown_by([&] { static_cast<void>(none.value()); }) == status::timeout);

    CHECK(result<void>().has_value());
    const result<void> failure(error(status::closed, "gone"));
    CHECK(!failure && thrown_by([&] { failure.value(); }) == status::closed);

    const auto made = client::try_create("sandbox-key");
    CHECK(made && made->native_handle() != nullptr);
}

/// Takes what is in it, and leaves it as it is after a move.
template <typename Handle>
void empty(Handle& handle) {
    const Handle taken = std::move(handle);
    CHECK(static_cast<bool>(taken));
    CHECK(!handle && handle.native_handle() == nullptr);
}

void test_moved_from_handles() {
    client c = local_client();
    token t = c.get_token();
    operation o = c.get_token_start();
    statistics s = c.get_statistics();
    config settings = local();
    const token still = t.clone();
    empty(t);
    empty(o);
    empty(s);
    empty(settings);

    CHECK(thrown_by([&] { c.invalidate_token(t); }) == status::null_argument);
    CHECK(t.authorization().empty() && t.access_token().empty() && t.refresh_token().empty());
    CHECK(t.expires_in() == 0ms && t.lifetime() == 0ms && !t.clone());

    o.cancel();
    CHECK(thrown_by([&] { static_cast<void>(o.wait()); }) == status::null_argument);
    CHECK(thrown_by([&] { static_cast<void>(o.wait(1ms)); }) == status::null_argument);
    CHECK(thrown_by([&] { o.on_complete([] {}); }) == status::null_argument);

    const auto none = s.try_get(statistic::waiters);
    CHECK(!none && none.error().status() == status::null_argument);

    CHECK(thrown_by([&] { settings.set_base_url(base_url); }) == status::null_argument);
    CHECK(thrown_by([&] { settings.set_log(log_level::info, nullptr); }) == status::null_argument);
    // Not a client with the defaults.
    CHECK(thrown_by([&] { client("sandbox-key", settings); }) == status::null_argument);

    empty(c);
    CHECK(thrown_by([&] { static_cast<void>(c.get_token()); }) == status::null_argument);
    CHECK(thrown_by([&] { static_cast<void>(c.get_token(1s)); }) == status::null_argument);
    CHECK(thrown_by([&] { static_cast<void>(c.get_token_start()); }) == status::null_argument);
    CHECK(thrown_by([&] { c.authenticate(); }) == status::null_argument);
    CHECK(thrown_by([&] { c.refresh(); }) == status::null_argument);
    CHECK(thrown_by([&] { c.invalidate_token(still); }) == status::null_argument);
    CHECK(thrown_by([&] { static_cast<void>(c.get_statistics()); }) == status::null_argument);
    std::future<token> future = c.get_token_async();
    CHECK(thrown_by([&] { static_cast<void>(future.get()); }) == status::null_argument);

    // And they can be used again.
    c = local_client();
    t = c.get_token();
    CHECK(!t.authorization().empty());
}

void test_environment() {
    CHECK(thrown_by([] { client c = client::from_environment(); }) == status::null_argument);
    CHECK(set_variable("APIVIDEO_API_KEY", "sandbox-key"));
    CHECK(client::from_environment(local()).get_token().id() != 0);
    CHECK(set_variable("APIVIDEO_BASE_URL", base_url.c_str()));
    CHECK(client::from_environment().get_token().id() != 0);
    CHECK(client::from_environment().base_url() == base_url);
    CHECK(client::try_from_environment().has_value());
    config moved;
    const config settings = std::move(moved);
    CHECK(!client::try_from_environment(moved));
    // A variable that is not set must not lead to the environment's account.
    const char* none = std::getenv("NO_SUCH_VARIABLE");
    CHECK(thrown_by([&] { client c(none); }) == status::null_argument);
    CHECK(thrown_by([&] { client c(none, settings); }) == status::null_argument);
    const auto refused = client::try_create(none);
    CHECK(!refused && std::string(refused.error().what()).find("`api_key`") != std::string::npos);
    unset_variable("APIVIDEO_API_KEY");
    unset_variable("APIVIDEO_BASE_URL");
}

void test_strings() {
    using namespace std::string_literals;
    config settings;
    CHECK(thrown_by([] { client(static_cast<const char*>(nullptr)); }) == status::null_argument);
    CHECK(thrown_by([] { client(""); }) == status::invalid_argument);
    CHECK(thrown_by([] { client("\xff"); }) == status::invalid_utf8);
    CHECK(thrown_by([] { client("sandbox-key\0"s); }) == status::invalid_argument);
    CHECK(thrown_by([] { client("sandbox-key\0x"s); }) == status::invalid_argument);
    const auto cut = settings.try_set_base_url("http://localhost\0.example.com"s);
    CHECK(!cut && cut.error().status() == status::invalid_argument);
    CHECK(!cut && std::string(cut.error().what()).find("url") != std::string::npos);
    CHECK(!settings.try_set_app("app\0"s, "1"));
    CHECK(!settings.try_set_app("app", "1\0"s));
    CHECK(!settings.try_set_proxy("http://localhost:1\0"s));
    CHECK(!settings.try_set_ca_file("/dev/null\0.pem"s));
    CHECK(thrown_by([&] { settings.set_sdk("sdk\0"s, "1"); }) == status::invalid_argument);
}

void test_settings() {
    config settings;
    settings.set_environment(apivideo::environment::sandbox)
        .set_base_url(base_url)
        .set_app("cpp-test", "1.2.3")
        .set_sdk("cpp", std::string("17"))
        .set_connect_timeout(2s)
        .set_attempt_timeout(1min)
        .set_wait_timeout(0ms)
        .set_wait_for_recovery(true)
        .set_keep_fresh(false)
        .set_max_reply_bytes(1000)
        .set_proxy("");
    CHECK(thrown_by([&] { settings.set_wait_timeout(-1ms); }) == status::invalid_argument);
    CHECK(thrown_by([&] { settings.set_wait_timeout(24h * 365); }) == status::invalid_argument);
    CHECK(thrown_by([&] { settings.set_connect_timeout(0ms); }) == status::invalid_argument);
    CHECK(thrown_by([&] { settings.set_base_url("ftp://x"); }) == status::invalid_argument);
    CHECK(thrown_by([&] { settings.set_app("a b", "1"); }) == status::invalid_argument);
    CHECK(thrown_by([&] { settings.set_ca_file("/nonexistent"); }) == status::invalid_argument);
    const auto nowhere = static_cast<apivideo::environment>(7);
    CHECK(thrown_by([&] { settings.set_environment(nowhere); }) == status::invalid_argument);

    // The wait timeout of 0 is kept: only what is there, but the exchange is begun.
    delay_requests(50);
    const client c("sandbox-key", settings);
    const result<token> at_once = c.try_get_token();
    CHECK(!at_once && at_once.error().status() == status::timeout);
    CHECK(eventually([&] { return c.try_get_token().has_value(); }));
}

void test_statistics() {
    const client c = local_client();
    CHECK(c.get_statistics().get(statistic::authenticate_requests) == 0);
    const token t = c.get_token();
    c.refresh();
    const statistics s = c.get_statistics();
    CHECK(s.get(statistic::authenticate_requests) == 1);
    CHECK(s.get(statistic::refresh_requests) == 1);
    CHECK(s.get(statistic::tokens_granted) == 2);
    CHECK(s.get(statistic::failures) == 0);
    const auto unknown = static_cast<statistic>(1000);
    CHECK(thrown_by([&] { static_cast<void>(s.get(unknown)); }) == status::invalid_argument);
}

// --- Futures ---

void test_future_at_once() {
    const client c = local_client();
    const token t = c.get_token();
    std::future<token> future = c.get_token_async();
    CHECK(future.wait_for(0s) == std::future_status::ready);
    CHECK(future.get().authorization() == t.authorization());
    // An error that is there at once.
    std::future<token> refused = c.get_token_async(2h);
    CHECK(refused.wait_for(0s) == std::future_status::ready);
    CHECK(thrown_by([&] { static_cast<void>(refused.get()); }) == status::invalid_argument);
}

void test_future_cold() {
    delay_requests(100);
    const client c = local_client();
    std::vector<std::future<token>> futures;
    for (int i = 0; i < 20; ++i) {
        futures.push_back(c.get_token_async(30min));
    }
    CHECK(futures.front().wait_for(0s) == std::future_status::timeout);
    for (auto& future : futures) {
        const token t = future.get();
        CHECK(t.expires_in() > 30min);
    }
    CHECK(c.get_statistics().get(statistic::authenticate_requests) == 1);
}

void test_future_of_a_failure() {
    const client c("not-the-key", local());
    std::future<token> future = c.get_token_async();
    CHECK(thrown_by([&] { static_cast<void>(future.get()); }) == status::key_rejected);
}

void test_future_outlives_its_client() {
    delay_requests(200);
    std::optional<client> c = local_client();
    std::future<token> pending = c->get_token_async();
    c.reset();
    CHECK(pending.wait_for(0s) == std::future_status::ready);
    CHECK(thrown_by([&] { static_cast<void>(pending.get()); }) == status::closed);

    c = local_client();
    std::future<token> ready = c->get_token_async();
    ready.wait();
    c.reset();
    CHECK(!ready.get().access_token().empty());
}

void test_future_dropped() {
    delay_requests(100);
    const client c = local_client();
    for (int i = 0; i < 10; ++i) {
        static_cast<void>(c.get_token_async());
    }
    // Nothing was waited for, and the exchange goes on.
    CHECK(c.get_statistics().get(statistic::tokens_granted) == 0);
    CHECK(!c.get_token().access_token().empty());
    CHECK(c.get_statistics().get(statistic::authenticate_requests) == 1);

    // The client goes right after the future.
    delay_requests(100);
    static_cast<void>(local_client().get_token_async());
}

void test_futures_from_many_threads() {
    const client c = local_client();
    std::vector<std::thread> threads;
    for (int n = 0; n < 8; ++n) {
        threads.emplace_back([&c, n] {
            for (int i = 0; i < 25; ++i) {
                // Some ask while there is no token, some while there is one.
                std::future<token> future = c.get_token_async(1ms);
                if ((i + n) % 3 != 0) {
                    const token t = future.get();
                    CHECK(!t.access_token().empty());
                    if (i % 5 == 0) {
                        static_cast<void>(c.try_invalidate_token(t));
                    }
                }
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

void test_clients_that_go_while_futures_are_pending() {
    delay_requests(5, 0);
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; ++n) {
        threads.emplace_back([n] {
            for (int i = 0; i < 20; ++i) {
                std::optional<client> c = local_client();
                std::future<token> kept = c->get_token_async();
                static_cast<void>(c->get_token_async());
                // At about the time of the answer, before or after it.
                std::this_thread::sleep_for(std::chrono::microseconds((i * 4 + n) * 150));
                c.reset();
                const status how = thrown_by([&] { static_cast<void>(kept.get()); });
                CHECK(how == status::ok || how == status::closed);
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

// --- Operations ---

void test_operation_wait() {
    delay_requests(300);
    const client c = local_client();
    const operation o = c.get_token_start();
    CHECK(!o.wait(0ms));
    CHECK(!o.try_wait(-1s));
    const auto begin = std::chrono::steady_clock::now();
    CHECK(!o.wait(20ms));
    CHECK(std::chrono::steady_clock::now() - begin >= 20ms);
    const std::optional<token> t = o.wait(20s);
    CHECK(t.has_value());
    CHECK(t && t->authorization() == c.get_token().authorization());
    // Again after the end, in every form.
    CHECK(o.wait().authorization() == c.get_token().authorization());
    CHECK(o.try_wait().has_value());
    CHECK(o.try_wait(apivideo::milliseconds::max()).has_value());
}

void test_operation_cancel() {
    delay_requests(100);
    const client c = local_client();
    const operation o = c.get_token_start();
    std::atomic<int> calls{0};
    o.on_complete([&] { ++calls; });
    const result<void> again = o.try_on_complete([&] { ++calls; });
    CHECK(!again && again.error().status() == status::invalid_argument);
    CHECK(thrown_by([&] { o.on_complete(nullptr); }) == status::null_argument);
    CHECK(calls == 0);
    o.cancel();
    CHECK(calls == 1);
    o.cancel();
    CHECK(thrown_by([&] { static_cast<void>(o.wait()); }) == status::cancelled);
    CHECK(thrown_by([&] { static_cast<void>(o.wait(1s)); }) == status::cancelled);
    const auto answer = o.try_wait(1s);
    CHECK(answer && !*answer && answer->error().status() == status::cancelled);
    // The exchange goes on for others.
    CHECK(!c.get_token().access_token().empty());
    CHECK(calls == 1);
}

void test_operation_destroyed() {
    delay_requests(100, 0);
    std::optional<client> c = local_client();
    std::atomic<int> calls{0};
    {
        const operation o = c->get_token_start();
        o.on_complete([&] { ++calls; });
    }
    CHECK(calls == 1);
    // It outlives its client.
    operation o = c->get_token_start();
    o.on_complete([&] { ++calls; });
    c.reset();
    CHECK(calls == 2);
    CHECK(thrown_by([&] { static_cast<void>(o.wait()); }) == status::closed);
    c = local_client();
    o = c->get_token_start();
    CHECK(o.wait().expires_in() > 0ms);
}

void test_completion_on_another_thread() {
    delay_requests(100);
    const client c = local_client();
    const operation o = c.get_token_start();
    std::promise<std::string> told;
    o.on_complete([&] { told.set_value(o.wait(0ms).value().authorization()); });
    CHECK(told.get_future().get() == c.get_token().authorization());
}

void test_completion_that_throws() {
    const client c = local_client();
    const token t = c.get_token();
    const operation o = c.get_token_start();
    o.on_complete([] { throw std::runtime_error("from a callback"); });
    CHECK(o.wait().authorization() == t.authorization());
}

/// The usual way to keep an operation until it is complete: its callback owns it.
void test_completion_that_destroys_its_operation() {
    struct call {
        explicit call(operation what) : started(std::move(what)) {}
        operation started;
    };
    const auto start = [](const client& c, const std::shared_ptr<std::atomic<int>>& calls) {
        auto mine = std::make_shared<call>(c.get_token_start());
        mine->started.on_complete([mine, calls]() mutable {
            CHECK(mine->started.wait(0ms).has_value());
            mine.reset();
            ++*calls;
        });
    };
    const auto calls = std::make_shared<std::atomic<int>>(0);
    const client c = local_client();
    delay_requests(50);
    start(c, calls);
    CHECK(*calls == 0);
    CHECK(eventually([&] { return *calls == 1 && calls.use_count() == 1; }));
    // Complete already: the callback comes before on_complete() returns.
    start(c, calls);
    CHECK(*calls == 2 && calls.use_count() == 1);

    // Destroyed by the callback of its own cancellation.
    const client another = local_client();
    delay_requests(50);
    auto cancelled = std::make_unique<operation>(another.get_token_start());
    cancelled->on_complete([&] { cancelled.reset(); });
    cancelled->cancel();
    CHECK(cancelled == nullptr);

    // Destroyed on another thread than the one that made it.
    delay_requests(50);
    std::optional<operation> waited = another.get_token_start();
    std::promise<void> gone;
    waited->on_complete([&] {
        waited.reset();
        gone.set_value();
    });
    gone.get_future().wait();
    CHECK(!waited);
}

// --- Callbacks of the settings ---

/// Counts how often a callback's own copy of it is destroyed.
using sentinel = std::shared_ptr<int>;

void test_log() {
    const sentinel alive = std::make_shared<int>(0);
    std::mutex mutex;
    std::string log;
    std::string secrets[4];
    {
        config settings = local();
        settings.set_log(log_level::debug, [&, alive](log_level level, std::string_view line) {
            const std::lock_guard<std::mutex> lock(mutex);
            CHECK(level >= log_level::error && level <= log_level::debug);
            log.append(line).append("\n");
        });
        CHECK(alive.use_count() == 2);
        std::optional<client> c(std::in_place, "sandbox-key", settings);
        const token first = c->get_token();
        const token second = c->refresh();
        secrets[0] = first.access_token();
        secrets[1] = first.refresh_token();
        secrets[2] = second.access_token();
        secrets[3] = second.refresh_token();
        settings = local();
        CHECK(alive.use_count() == 2);
        c.reset();
        // Unless the helper thread is still about to end.
        CHECK(eventually([&] { return alive.use_count() == 1; }));
    }
    CHECK(alive.use_count() == 1);
    CHECK(!log.empty());
    CHECK(log.find("sandbox-key") == std::string::npos);
    for (const std::string& secret : secrets) {
        CHECK(!secret.empty() && log.find(secret) == std::string::npos);
    }
}

void test_callbacks_are_released() {
    const sentinel alive = std::make_shared<int>(0);
    {
        config settings;
        const auto log = [alive](log_level, std::string_view) {};
        settings.set_log(log_level::info, log);
        CHECK(alive.use_count() == 3);
        // Another one takes its place.
        settings.set_log(log_level::error, log);
        CHECK(alive.use_count() == 3);
        // Refused: the one before stays.
        const auto beyond = static_cast<log_level>(99);
        CHECK(thrown_by([&] { settings.set_log(beyond, log); }) == status::invalid_argument);
        CHECK(alive.use_count() == 3);
        settings.set_log(log_level::info, nullptr);
        CHECK(alive.use_count() == 2);
        settings.set_on_state([alive](token_state) {});
        CHECK(alive.use_count() == 3);
        settings.set_on_state(nullptr);
        CHECK(alive.use_count() == 2);
        settings.set_on_state([alive](token_state) {});
        empty(settings);
        CHECK(alive.use_count() == 2);
        CHECK(thrown_by([&] { settings.set_log(log_level::info, log); }) == status::null_argument);
        CHECK(alive.use_count() == 2);
    }
    CHECK(alive.use_count() == 1);
}

void test_state() {
    std::mutex mutex;
    std::vector<token_state> states;
    const auto last = [&] {
        const std::lock_guard<std::mutex> lock(mutex);
        return states.empty() ? token_state::none : states.back();
    };
    config settings = local();
    settings.set_on_state([&](token_state state) {
        const std::lock_guard<std::mutex> lock(mutex);
        states.push_back(state);
    });
    const client c("sandbox-key", settings);
    const token t = c.get_token();
    CHECK(eventually([&] { return last() == token_state::valid; }));
    c.invalidate_token(t);
    CHECK(eventually([&] { return last() == token_state::rejected; }));
}

void test_callbacks_that_throw() {
    std::atomic<int> calls{0};
    config settings = local();
    settings.set_log(log_level::debug, [&](log_level, std::string_view) {
        ++calls;
        throw std::runtime_error("from the log");
    });
    settings.set_on_state([&](token_state) {
        ++calls;
        throw 42;
    });
    const client c("sandbox-key", settings);
    CHECK(c.get_token().expires_in() > 0ms);
    CHECK(eventually([&] { return calls >= 2; }));
}

// --- Requests ---

/// Has the next request for videos answered so.
void answer_videos(const std::string& fields) {
    tell_sandbox("faults", R"({"on": "videos", "fault": {"kind": "reply", )" + fields + "}}");
}

void test_request() {
    const client c = local_client();
    answer_videos(R"("status": 201, "headers": {"X-Number": "7"}, "body": [97, 0, 98])");
    const apivideo::response answer = c.request("POST", "/videos", std::string("{}"));
    CHECK(answer && answer.http_status() == 201);
    CHECK(answer.body() == std::string_view("a\0b", 3));
    CHECK(answer.header("x-NUMBER") == "7");
    CHECK(answer.header("x-nothing").empty());
    CHECK(answer.next_page().empty());
    CHECK(!c.request("GET", "/videos").body().empty());
    CHECK(c.try_request("GET", "/videos").has_value());
}

void test_request_refused() {
    const client c = local_client();
    answer_videos(
        R"("status": 400, "body": "{\"title\":\"Two.\",\"detail\":\"D.\",\"problems\":[{\"type\":\"https://docs.api.video/a\",\"title\":\"A.\",\"name\":\"title\"},{\"name\":\"tags\",\"detail\":\"E.\"}]}")");
    try {
        c.request("POST", "/videos", "{}");
        CHECK(false);
    } catch (const error& why) {
        CHECK(why.status() == status::request_rejected && why.http_status() == 400);
        CHECK(why.title() == "Two." && why.detail() == "D.");
        const std::vector<apivideo::problem> problems = why.problems();
        CHECK(problems.size() == 2);
        CHECK(problems[0].type == "https://docs.api.video/a" && problems[0].title == "A.");
        CHECK(problems[0].name == "title" && problems[0].detail.empty());
        CHECK(problems[1].name == "tags" && problems[1].detail == "E.");
    }
    CHECK(error(status::closed, "none").problems().empty());
}

void test_request_arguments() {
    const client c = local_client();
    const std::string cut("/vid\0eos", 8);
    CHECK(c.try_request("GET", cut).error().status() == status::invalid_argument);
    CHECK(c.try_request(cut, "/").error().status() == status::invalid_argument);
    CHECK(c.try_request("GET", "/", cut).error().status() == status::invalid_argument);
    CHECK(c.try_request("GET", "https://example.com/").error().status() ==
          status::invalid_argument);
    const char* const null = nullptr;
    CHECK(c.try_request("GET", null).error().status() == status::null_argument);
    CHECK(c.try_request("POST", "/", null).error().status() == status::null_argument);
    CHECK(client(client::native_handle_type{nullptr}).try_request("GET", "/").error().status() ==
          status::null_argument);
    const apivideo::response empty(nullptr);
    CHECK(!empty && empty.http_status() == 0 && empty.body().empty() && empty.next_page().empty());
    CHECK(empty.header("a").empty() && empty.header(cut).empty());
}

void test_request_operations_and_futures() {
    const client c = local_client();
    apivideo::request_operation started = c.request_start("GET", "/videos");
    std::promise<void> told;
    started.on_complete([&] { told.set_value(); });
    told.get_future().get();
    CHECK(started.try_wait().has_value() && started.wait(0ms).has_value());

    std::future<apivideo::response> future = c.request_async("GET", "/videos?pageSize=1");
    CHECK(future.get().next_page().find("currentPage=2") != std::string::npos);
    future = c.request_async("GET", "nowhere");
    CHECK(thrown_by([&] { future.get(); }) == status::invalid_argument);

    tell_sandbox("faults", R"({"on": "videos", "times": 0, "fault": {"kind": "hang"}})");
    started = c.request_start("GET", "/videos", "{}");
    CHECK(!started.wait(0ms));
    started.cancel();
    CHECK(started.try_wait().error().status() == status::cancelled);
}

void test_pages() {
    const client c = local_client();
    int count = 0;
    for (const apivideo::response& page : c.pages("/videos?pageSize=1")) {
        CHECK(page.http_status() == 200);
        ++count;
    }
    CHECK(count == 3);

    apivideo::pages pages = c.pages("/videos?pageSize=2");
    CHECK(pages.next().has_value());
    answer_videos(R"("status": 404, "body": "{}")");
    CHECK(pages.try_next().error().status() == status::request_rejected);
    CHECK(pages.next().has_value());  // The page that failed is asked for again.
    CHECK(!pages.next().has_value() && !pages.next().has_value());
    CHECK(thrown_by([&] { static_cast<void>(c.pages("videos").begin()); }) == status::invalid_argument);

    // A page that leads to itself has an end.
    answer_videos(
        R"("status": 200, "body": "{\"pagination\":{\"links\":[{\"rel\":\"next\",\"uri\":\"/videos\"}]}}")");
    apivideo::pages endless = c.pages("/videos");
    CHECK(endless.next().has_value() && !endless.next().has_value());
    for (const char* const uri : {"/videos?currentPage=2", "/videos"}) {
        answer_videos(R"("status": 200, "body": "{\"pagination\":{\"links\":[{\"rel\":\"next\",\"uri\":\")" +
                      std::string(uri) + R"(\"}]}}")");
    }
    apivideo::pages circle = c.pages("/videos");
    CHECK(circle.next().has_value() && circle.next().has_value() && !circle.next().has_value());
}

void test_webhook() {
    // RFC 4231, test case 2.
    const std::string signature =
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const std::string_view body = "what do ya want for nothing?";
    CHECK(apivideo::verify_webhook("Jefe", body, signature));
    CHECK(!apivideo::verify_webhook("Jefe", body.substr(1), signature));
    CHECK(!apivideo::verify_webhook(std::string("Jefe\0", 5), body, signature));
    CHECK(!apivideo::verify_webhook("Jefe", {}, signature));
}

void test_store() {
    // It is made by the store, for this user alone.
    const auto name = "apivideo-cpp-store-" + std::to_string(getpid());
    const std::string directory = (std::filesystem::temp_directory_path() / name).string();
    const auto shared = [&] {
        const apivideo::store files = apivideo::store::file(directory);
        config settings;
        settings.set_base_url(base_url);
        settings.set_store(files).set_store_timeout(500ms);
        return client("sandbox-key", settings);
    };
    const client one = shared(), other = shared();
    const token first = one.get_token();
    CHECK(other.get_token().access_token() == first.access_token());
    CHECK(other.get_statistics().get(statistic::tokens_adopted) == 1);
    CHECK(other.get_statistics().get(statistic::store_failures) == 0);
    // Where nobody can make a directory.
#ifdef _WIN32
    CHECK(!apivideo::store::try_file("C:\\<none>"));
#else
    CHECK(!apivideo::store::try_file("/proc/none"));
#endif
    CHECK(static_cast<bool>(apivideo::store::redis("redis://localhost")));
    CHECK(!apivideo::store::try_redis("http://localhost"));
    CHECK(!apivideo::store::try_redis("rediss://localhost", "/none"));
    config alone;
    alone.set_store(apivideo::store(nullptr));
    CHECK(!alone.try_set_store_timeout(0ms));
    CHECK(static_cast<bool>(apivideo::store::named("redis://localhost")));
    CHECK(static_cast<bool>(apivideo::store::named("redis://localhost", "/none")));
    CHECK(!apivideo::store::try_named("rediss://localhost", "/none"));
    CHECK(!apivideo::store::try_named("elsewhere"));
    CHECK(!apivideo::store::try_named(std::string("file\0", 5)));
    CHECK(!apivideo::store::try_named("file", std::string("\0", 1)));
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
}

/// A program's own store, in memory.
struct table {
    std::mutex mutex{};
    std::map<std::string, apivideo::record, std::less<>> kept{};
    milliseconds keep{};
    /// Of each call: 0 works, 1 throws, 2 gives an error, 3 gives what is no record.
    int trouble = 0;

    [[nodiscard]] static apivideo::store store(const std::shared_ptr<table>& self) {
        return apivideo::store::own(
            [self](std::string_view name, milliseconds timeout) { return self->load(name, timeout); },
            [self](std::string_view name, std::uint64_t expected, const apivideo::record& record,
                   milliseconds keep, milliseconds) {
                return self->swap(name, expected, record, keep);
            });
    }

    apivideo::result<std::optional<apivideo::record>> load(std::string_view name,
                                                           milliseconds timeout) {
        CHECK(timeout > 0ms && timeout <= 1s);
        if (trouble == 1) {
            throw std::runtime_error("trouble");
        }
        if (trouble == 2) {
            return apivideo::error(status::network_error, "trouble");
        }
        if (trouble == 3) {
            return std::optional(apivideo::record{0, "data of no version"});
        }
        const std::lock_guard lock(mutex);
        const auto found = kept.find(name);
        if (found == kept.end()) {
            return std::optional<apivideo::record>();
        }
        apivideo::record record = found->second;
        record.now = std::chrono::system_clock::now();
        return std::optional(record);
    }

    apivideo::result<bool> swap(std::string_view name, std::uint64_t expected,
                                const apivideo::record& record, milliseconds how_long) {
        const std::lock_guard lock(mutex);
        const auto found = kept.find(name);
        if ((found == kept.end() ? 0 : found->second.version) != expected) {
            return false;
        }
        kept.insert_or_assign(std::string(name), record);
        keep = how_long;
        return true;
    }
};

client client_of(const apivideo::store& store) {
    config settings;
    settings.set_base_url(base_url);
    settings.set_store(store);
    return client("sandbox-key", settings);
}

void test_own_store() {
    const auto kept = std::make_shared<table>();
    {
        const auto shared = [&] { return client_of(table::store(kept)); };
        const client one = shared(), other = shared();
        const token first = one.get_token();
        CHECK(other.get_token().access_token() == first.access_token());
        CHECK(other.get_statistics().get(statistic::tokens_adopted) == 1);
        CHECK(one.get_statistics().get(statistic::store_failures) == 0);
        CHECK(kept->keep > 50min && kept->kept.size() == 1);
        for (const int trouble : {1, 2, 3}) {
            kept->trouble = trouble;
            const client alone = shared();
            CHECK(static_cast<bool>(alone.get_token()));
            CHECK(alone.get_statistics().get(statistic::store_failures) == 1);
        }
    }
    // The functions are destroyed with the last of what uses them.
    CHECK(eventually([&] { return kept.use_count() == 1; }));
    CHECK(!apivideo::store::try_own(nullptr, nullptr));
    CHECK(apivideo::store::try_own({}, {}).error().status() == status::null_argument);
}

// --- Uploads ---

constexpr std::size_t chunk = 5 * 1024 * 1024;
constexpr std::size_t length = 2 * chunk + 1000;

/// A member of a JSON object that has a plain text.
std::string text_of(std::string_view json, const std::string& name) {
    const std::string quoted = "\"" + name + "\":\"";
    const std::size_t at = json.find(quoted);
    const std::string_view rest = at == std::string_view::npos ? "" : json.substr(at + quoted.size());
    return std::string(rest.substr(0, rest.find('"')));
}

std::string new_video(const client& c) {
    return text_of(c.request("POST", "/videos", R"({"title": "A video"})").body(), "videoId");
}

apivideo::upload_options to_new_video(const client& c) {
    apivideo::upload_options options;
    options.video_id = new_video(c);
    options.chunk_size = chunk;
    return options;
}

/// A file of that length, removed when it goes.
struct test_file {
    /// By the sandbox's port: others' tests may run there as well.
    std::string path = "apivideo-cpp-test-" + base_url.substr(base_url.rfind(':') + 1) + ".mp4";
    test_file() {
        std::FILE* const file = std::fopen(path.c_str(), "wb");
        const std::string content(length, 'x');
        if (file == nullptr || std::fwrite(content.data(), 1, length, file) != length ||
            std::fclose(file) != 0) {
            give_up("cannot write " + path);
        }
    }
    ~test_file() { std::remove(path.c_str()); }
    test_file(const test_file&) = delete;
    test_file& operator=(const test_file&) = delete;
};

void test_upload_of_a_file() {
    const client c = local_client();
    const test_file file;
    const std::string id = new_video(c);
    CHECK(text_of(c.upload_file(id, file.path).body(), "videoId") == id);

    apivideo::upload_options options = to_new_video(c);
    options.file = file.path;
    options.file_name = "a.mp4";
    options.parallel = 2;
    std::atomic<std::uint64_t> told{0};
    options.on_progress = [&told](const apivideo::upload_progress& now) {
        told = now.acknowledged;
        throw std::runtime_error("goes nowhere");
    };
    std::atomic<int> completed{0};
    {
        const apivideo::upload upload = c.upload(options);
        upload.on_complete([&completed] { ++completed; });
        CHECK(thrown_by([&] { upload.on_complete([] {}); }) == status::invalid_argument);
        CHECK(upload.video_id() == options.video_id);
        CHECK(upload.wait().http_status() == 201);
        CHECK(upload.wait(0ms)->http_status() == 201);
        const apivideo::upload_progress now = upload.progress();
        CHECK(now.acknowledged == length && now.sent == length && now.total == length);
        CHECK(thrown_by([&] { upload.write("x"); }) == status::invalid_argument);
    }
    CHECK(eventually([&] { return completed == 1; }) && told == length);

    options = to_new_video(c);
    options.file = file.path;
    CHECK(c.upload_async(options).get().http_status() == 201);
}

void test_upload_of_what_is_written() {
    const client c = local_client();
    const std::string part(1'000'000, 'x');
    for (const bool is_known : {false, true}) {
        apivideo::upload_options options = to_new_video(c);
        if (is_known) {
            options.size = 11 * part.size();
        }
        const apivideo::upload upload = c.upload(options);
        for (int i = 0; i < 11; ++i) {
            upload.write(part);
        }
        upload.finish();
        CHECK(upload.wait().http_status() == 201);
        CHECK(upload.progress().total == 11 * part.size());
        CHECK(thrown_by([&] { upload.write(part); }) == status::invalid_argument);
    }
    apivideo::upload_options options = to_new_video(c);
    options.size = 7;
    CHECK(thrown_by([&] { c.upload(options).write("8 bytes."); }) == status::invalid_argument);
}

void test_upload_by_token() {
    const client owner = local_client();
    const test_file file;
    const client c = client::without_key(local());
    apivideo::upload_options options;
    options.token = text_of(owner.request("POST", "/upload-tokens", "{}").body(), "token");
    options.file = file.path;
    options.file_name = "Holiday.mp4";
    const apivideo::upload upload = c.upload(options);
    const apivideo::response made = upload.wait();
    CHECK(text_of(made.body(), "videoId") == upload.video_id());
    CHECK(text_of(made.body(), "title") == "Holiday.mp4");
    options.parallel = 9;
    CHECK(thrown_by([&] { static_cast<void>(c.upload(options)); }) == status::invalid_argument);
    options.parallel = 8;
    CHECK(c.upload(options).wait().http_status() == 201);
    CHECK(thrown_by([&] { static_cast<void>(owner.upload_async({}).get()); }) ==
          status::invalid_argument);
    CHECK(thrown_by([&] { static_cast<void>(c.get_token()); }) == status::key_rejected);
    const config settings = local();
    config moved = local();
    empty(moved);
    CHECK(thrown_by([&] { static_cast<void>(client::without_key(moved)); }) == status::null_argument);
    CHECK(thrown_by([&] { static_cast<void>(c.upload({})); }) == status::invalid_argument);
    options.token = "to\0x", options.token.push_back('\0');
    CHECK(thrown_by([&] { static_cast<void>(c.upload(options)); }) == status::invalid_argument);
    options = {};
    options.video_id = "vi1";
    options.file = "nothing-here.mp4";
    CHECK(thrown_by([&] { static_cast<void>(owner.upload(options)); }) == status::file_error);
    CHECK(thrown_by([&] { owner.upload_file("vi1", "nothing-here.mp4"); }) == status::file_error);
}

void test_upload_cancelled_and_resumed() {
    const client c = local_client();
    const test_file file;
    apivideo::upload_options options = to_new_video(c);
    options.file = file.path;
    tell_sandbox("faults", R"({"on":"uploads","skip":1,"fault":{"kind":"hang","handled":false}})");
    {
        apivideo::upload upload = c.upload(options);
        CHECK(eventually([&] { return upload.progress().acknowledged == chunk; }));
        CHECK(!upload.wait(1ms));
        upload.cancel();
        tell_sandbox("faults", "", "DELETE");
        CHECK(thrown_by([&] { static_cast<void>(upload.wait()); }) == status::cancelled);
        empty(upload);
        CHECK(thrown_by([&] { static_cast<void>(upload.wait()); }) == status::null_argument);
        CHECK(thrown_by([&] { upload.write("x"); }) == status::null_argument);
        CHECK(thrown_by([&] { upload.finish(); }) == status::null_argument);
        upload.cancel();
        CHECK(upload.video_id().empty() && upload.progress().total == 0);
    }
    options.resume = true;
    CHECK(c.upload(options).wait().http_status() == 201);
}

}  // namespace

int main() {
    const char* const url = std::getenv("APIVIDEO_TEST_URL");
    if (url == nullptr) {
        give_up("APIVIDEO_TEST_URL is not set");
    }
    base_url = url;
    const struct {
        const char* name;
        void (*run)();
    } tests[] = {
#define TEST(name) {#name, test_##name}
        TEST(version),
        TEST(first_token),
        TEST(token_owners),
        TEST(explicit_exchanges),
        TEST(explicit_exchanges_without_waiting),
        TEST(min_validity_too_long),
        TEST(rejected_key),
        TEST(unavailable_server),
        TEST(result),
        TEST(moved_from_handles),
        TEST(environment),
        TEST(strings),
        TEST(settings),
        TEST(statistics),
        TEST(future_at_once),
        TEST(future_cold),
        TEST(future_of_a_failure),
        TEST(future_outlives_its_client),
        TEST(future_dropped),
        TEST(futures_from_many_threads),
        TEST(clients_that_go_while_futures_are_pending),
        TEST(operation_wait),
        TEST(operation_cancel),
        TEST(operation_destroyed),
        TEST(completion_on_another_thread),
        TEST(completion_that_throws),
        TEST(completion_that_destroys_its_operation),
        TEST(log),
        TEST(callbacks_are_released),
        TEST(state),
        TEST(callbacks_that_throw),
        TEST(request),
        TEST(request_refused),
        TEST(request_arguments),
        TEST(request_operations_and_futures),
        TEST(pages),
        TEST(webhook),
        TEST(store),
        TEST(own_store),
        TEST(upload_of_a_file),
        TEST(upload_of_what_is_written),
        TEST(upload_by_token),
        TEST(upload_cancelled_and_resumed),
#undef TEST
    };
    for (const auto& test : tests) {
        tell_sandbox("reset");
        try {
            test.run();
        } catch (const std::exception& why) {
            ++failed;
            std::fprintf(stderr, "%s: failed: it threw \"%s\"\n", test.name, why.what());
        }
    }
    tell_sandbox("reset");
    std::printf("%d passed, %d failed\n", passed.load(), failed.load());
    return failed == 0 ? 0 : 1;
}
