#define _POSIX_C_SOURCE 200809L

#include "loopback_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((unsigned short)port);
    return address;
}

static int connect_to(int port) {
    struct timeval patience = {.tv_sec = 5};
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0
        && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0
            || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int loopback_answers(int port) {
    int fd = connect_to(port);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

int loopback_free_port(void) {
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int found = fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return found ? ntohs(address.sin_port) : 0;
}

static int send_all(int fd, const char *bytes, size_t left) {
    while (left > 0) {
        ssize_t sent = write(fd, bytes, left);
        if (sent <= 0) {
            return -1;
        }
        bytes += sent;
        left -= (size_t)sent;
    }
    return 0;
}

int loopback_http(const char *base_url, const char *method, const char *path, const char *headers, const char *body, char *reply,
                  size_t size) {
    char bytes[8192];
    int http_status = 0, port = 0, fd = -1;
    if (sscanf(base_url, "http://127.0.0.1:%d", &port) == 1) {
        fd = connect_to(port);
    }
    if (fd < 0) {
        return 0;
    }
    int length = snprintf(bytes, sizeof bytes, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %lu\r\n%s\r\n%s",
                          method, path, (unsigned long)strlen(body), headers, body);
    if (length > 0 && (size_t)length < sizeof bytes && send_all(fd, bytes, (size_t)length) == 0) {
        size_t have = 0;
        ssize_t got;
        while (have < sizeof bytes - 1 && (got = read(fd, bytes + have, sizeof bytes - 1 - have)) > 0) {
            have += (size_t)got;
        }
        bytes[have] = '\0';
        const char *end_of_head = strstr(bytes, "\r\n\r\n");
        if (end_of_head == NULL || sscanf(bytes, "HTTP/1.%*d %d", &http_status) != 1) {
            http_status = 0;
        } else if (size > 0) {
            snprintf(reply, size, "%s", end_of_head + 4);
        }
    }
    close(fd);
    return http_status;
}
