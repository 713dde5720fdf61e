// A file becomes a video, with progress; and again by upload token, as a program does it that must
// not have the API key.
//
//     APIVIDEO_API_KEY=... ./upload movie.mp4
//
// Without a file it sends itself, which only the local sandbox takes for a video.

#include <apivideo.hpp>
#include <iostream>
#include <string>
#include <string_view>

namespace {

// A member of a JSON object that has a plain text. A program has a JSON library for this.
std::string text_of(std::string_view json, const std::string& name) {
    const std::string quoted = "\"" + name + "\":\"";
    const std::size_t at = json.find(quoted);
    if (at == std::string_view::npos) {
        return {};
    }
    const std::string_view rest = json.substr(at + quoted.size());
    return std::string(rest.substr(0, rest.find('"')));
}

void with_the_key(const apivideo::client& client, const std::string& path) {
    const apivideo::response video = client.request("POST", "/videos", R"({"title": "My movie"})");
    apivideo::upload_options options;
    options.video_id = text_of(video.body(), "videoId");
    options.file = path;
    options.on_progress = [](const apivideo::upload_progress& now) {
        std::cerr << '\r' << now.acknowledged << " of " << now.total << " bytes are there";
    };
    const apivideo::upload upload = client.upload(options);
    const apivideo::response done = upload.wait();  // Throws the error if there was one.
    std::cout << "\nThe video " << upload.video_id() << " is there: " << text_of(done.body(), "player")
              << '\n';
}

void by_token(const apivideo::client& owner, const std::string& path) {
    // A server of the program's maker has the key, and hands out upload tokens.
    const apivideo::response made = owner.request("POST", "/upload-tokens", R"({"ttl": 3600})");

    const apivideo::client client = apivideo::client::without_key();
    apivideo::upload_options options;
    options.token = text_of(made.body(), "token");
    options.file = path;
    const apivideo::response done = client.upload(options).wait();
    std::cout << "By token it is the video " << text_of(done.body(), "videoId") << ".\n";
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::string path = argv[argc > 1 ? 1 : 0];
        const apivideo::client client = apivideo::client::from_environment();
        with_the_key(client, path);
        by_token(client, path);
        return 0;
    } catch (const apivideo::error& why) {
        std::cerr << why.what() << '\n';
        return 1;
    }
}
