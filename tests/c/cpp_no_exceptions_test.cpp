// apivideo.hpp without exceptions (-fno-exceptions): the try_ forms do everything. Runs against a
// local sandbox, whose base URL is in APIVIDEO_TEST_URL.
//
// Ends with "N passed, N failed", and with status 1 if anything failed. cpp_builds.sh compiles this
// in many ways.

#include <sys/wait.h>
#include <unistd.h>

#include <apivideo.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace {

using namespace std::chrono_literals;
using apivideo::client;
using apivideo::config;
using apivideo::operation;
using apivideo::result;
using apivideo::status;
using apivideo::token;

int passed = 0;
int failed = 0;

void check(bool ok, const char* what, int line) {
    ++(ok ? passed : failed);
    if (!ok) {
        std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, line, what);
    }
}

#define CHECK(condition) check((condition), #condition, __LINE__)

result<client> local_client() {
    const char* const url = std::getenv("APIVIDEO_TEST_URL");
    result<config> settings = config::try_create();
    if (!settings) {
        return settings.error();
    }
    const result<void> done = settings->try_set_base_url(url);
    return done ? client::try_create("sandbox-key", *settings) : result<client>(done.error());
}

void test_settings() {
    result<config> settings = config::try_create();
    CHECK(settings && settings->try_set_environment(apivideo::environment::sandbox));
    CHECK(settings && settings->try_set_app("app", std::string("1.2")));
    CHECK(settings && settings->try_set_sdk("sdk", "1"));
    CHECK(settings && settings->try_set_connect_timeout(1s));
    CHECK(settings && settings->try_set_attempt_timeout(2s));
    CHECK(settings && settings->try_set_wait_timeout(3s));
    CHECK(settings && settings->try_set_wait_for_recovery(true));
    CHECK(settings && settings->try_set_keep_fresh(false));
    CHECK(settings && settings->try_set_max_reply_bytes(1000));
    CHECK(settings && settings->try_set_proxy(""));
    CHECK(settings && settings->try_set_log(apivideo::log_level::info,
                                            [](apivideo::log_level, std::string_view) {}));
    CHECK(settings && settings->try_set_on_state([](apivideo::token_state) {}));
    const result<void> refused =
        settings ? settings->try_set_ca_file("/nonexistent") : result<void>();
    CHECK(!refused && refused.error().status() == status::invalid_argument);
    CHECK(!refused && refused.error().what()[0] != '\0');
}

void test_a_token() {
    const result<client> made = local_client();
    CHECK(made.has_value());
    if (!made) {
        return;
    }
    const result<token> first = made->try_get_token();
    CHECK(first && !first->authorization().empty() && first->expires_in() > 0ms);
    CHECK(made->try_get_token(1min).has_value());
    CHECK(made->try_refresh().has_value());
    CHECK(made->try_authenticate().has_value());
    CHECK(first && made->try_invalidate_token(*first));
    const auto statistics = made->try_get_statistics();
    CHECK(statistics &&
          *statistics->try_get(apivideo::statistic::authenticate_requests) == 2);
}

void test_an_operation() {
    const result<client> made = local_client();
    result<operation> started = made ? made->try_get_token_start() : made.error();
    CHECK(started && started->try_wait());
    CHECK(started && started->try_wait(1s));
    std::atomic<int> calls{0};
    CHECK(started && started->try_on_complete([&calls] { ++calls; }));
    CHECK(calls == 1);
}

void test_requests() {
    const result<client> made = local_client();
    CHECK(made && made->try_request("GET", "/videos"));
    CHECK(made && made->try_request_start("GET", "/videos")->try_wait());
    if (!made) {
        return;
    }
    int count = 0;
    apivideo::pages pages = made->pages("/videos?pageSize=2");
    for (auto page = pages.try_next(); page && *page; page = pages.try_next()) {
        ++count;
    }
    CHECK(count == 2);
    CHECK(!apivideo::verify_webhook("secret", "body", "signature"));
}

void test_a_store() {
    CHECK(!apivideo::store::try_file("/proc/none"));
    CHECK(!apivideo::store::try_redis("http://localhost"));
    CHECK(!apivideo::store::try_named("elsewhere"));
    bool asked = false;
    const result<apivideo::store> own = apivideo::store::try_own(
        [&asked](std::string_view, apivideo::milliseconds)
            -> result<std::optional<apivideo::record>> {
            asked = true;
            return apivideo::error(status::network_error, "no database");
        },
        [](std::string_view, std::uint64_t, const apivideo::record&, apivideo::milliseconds,
           apivideo::milliseconds) -> result<bool> { return false; });
    result<config> settings = config::try_create();
    CHECK(own && settings && settings->try_set_base_url(std::getenv("APIVIDEO_TEST_URL")));
    CHECK(own && settings && settings->try_set_store(*own));
    CHECK(settings && settings->try_set_store_timeout(500ms));
    const auto made = client::try_create("sandbox-key", *settings);
    CHECK(made && made->try_get_token());
    CHECK(asked);
    const auto statistics = made ? made->try_get_statistics() : made.error();
    CHECK(statistics && *statistics->try_get(apivideo::statistic::store_failures) == 1);
}

void test_an_error() {
    const result<client> made = client::try_create("");
    CHECK(!made && made.error().status() == status::invalid_argument);
    CHECK(!made && !made.error().is_retryable() && !made.error().retry_after());
}

/// A throwing form that fails ends the program: there is no way to go on.
void test_a_throwing_form_aborts() {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        static_cast<void>(std::freopen("/dev/null", "w", stderr));
        static_cast<void>(client(""));
        _exit(0);
    }
    int how = 0;
    CHECK(waitpid(child, &how, 0) == child);
    CHECK(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}

}  // namespace

int main() {
    test_settings();
    test_a_token();
    test_an_operation();
    test_requests();
    test_a_store();
    test_an_error();
    test_a_throwing_form_aborts();
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
