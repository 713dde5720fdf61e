/*
 * The same chunks with libcurl: one handle, a form whose file is read as it is sent, and the
 * largest buffer that it has for what it sends.
 */
#include <curl/curl.h>

#include "upload.h"

struct chunk {
    int file;
    off_t at, end;
};

static size_t read_chunk(char *to, size_t size, size_t count, void *from) {
    struct chunk *chunk = from;
    size_t room = size * count, left = (size_t)(chunk->end - chunk->at);
    ssize_t length = pread(chunk->file, to, left < room ? left : room, chunk->at);
    must(length >= 0, "the file");
    chunk->at += length;
    return (size_t)length;
}

static size_t ignore(char *bytes, size_t size, size_t count, void *unused) {
    (void)bytes, (void)unused;
    return size * count;
}

static void send_chunk(CURL *curl, struct chunk *chunk, off_t total) {
    char range[128];
    long status = 0;
    struct curl_slist *headers;
    curl_mime *form = curl_mime_init(curl);
    curl_mimepart *part = curl_mime_addpart(form);
    snprintf(range, sizeof range, "Content-Range: bytes %lld-%lld/%lld", (long long)chunk->at, (long long)chunk->end - 1, (long long)total);
    headers = curl_slist_append(curl_slist_append(NULL, range), "Authorization: Bearer access");
    curl_mime_name(part, "file");
    curl_mime_filename(part, "film.mp4");
    curl_mime_data_cb(part, (curl_off_t)(chunk->end - chunk->at), read_chunk, NULL, NULL, chunk);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, form);
    must(curl_easy_perform(curl) == CURLE_OK, "the request");
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    must(status == 201, "the reply");
    curl_slist_free_all(headers);
    curl_mime_free(form);
}

int main(int argc, char **argv) {
    char url[512];
    struct stat of;
    struct start start;
    struct chunk chunk = {0, 0, 0};
    CURL *curl;
    off_t size;
    must(argc == 4, "upload_curl URL FILE CHUNK_SIZE");
    size = (off_t)atoll(argv[3]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl = curl_easy_init();
    must(curl != NULL, "the handle");
    start = begin();
    chunk.file = open(argv[2], O_RDONLY);
    must(chunk.file >= 0 && fstat(chunk.file, &of) == 0, "the file");
    snprintf(url, sizeof url, "%s/videos/vi1/source", argv[1]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    while (chunk.at < of.st_size) {
        chunk.end = of.st_size - chunk.at < size ? of.st_size : chunk.at + size;
        send_chunk(curl, &chunk, of.st_size);
    }
    end(start);
    close(chunk.file);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return 0;
}
