// Gets a token and says how long it is good for.
//
//     APIVIDEO_API_KEY=... ./first_token

#include <apivideo.hpp>
#include <chrono>
#include <iostream>
#include <string_view>

int main() {
    try {
        apivideo::config settings;
        settings.set_app("first-token", "1.0");

        // One client for the whole program: it keeps the token, and any thread may use it. The key,
        // and the server if it is not api.video's, are the environment's.
        const apivideo::client client = apivideo::client::from_environment(settings);

        // Ask before each request instead of keeping the token: it costs next to nothing while
        // there is a valid one, and that is renewed in time. For a request that takes long, say
        // how long: client.get_token(std::chrono::minutes(50)).
        const apivideo::token token = client.get_token();

        // The value of the Authorization header. It is a secret: send it, never print it.
        const std::string_view authorization = token.authorization();
        std::cout << "Got a header of " << authorization.size() << " bytes, good for "
                  << std::chrono::duration_cast<std::chrono::minutes>(token.expires_in()).count()
                  << " min.\n";

        // If api.video answers 401 to a request with this token, say so and ask again:
        //     client.invalidate_token(token);
        return 0;
    } catch (const apivideo::error& why) {
        std::cerr << why.what() << '\n';
        if (const auto wait = why.retry_after(); wait && why.is_retryable()) {
            std::cerr << "Try again in " << wait->count() << " ms.\n";
        }
        return 1;
    }
}
