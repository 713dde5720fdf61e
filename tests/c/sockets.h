/*
 * TCP as the tests use it, with Berkeley's sockets and with Windows'. C99 and later, C++11 and later.
 */
#ifndef APIVIDEO_TEST_SOCKETS_H
#define APIVIDEO_TEST_SOCKETS_H

#ifdef _WIN32
#include <winsock2.h>
#include <windows.h>
typedef SOCKET socket_handle;
#define MSG_NOSIGNAL 0
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int socket_handle;
#endif
#include <stddef.h>

/* A socket; or one that no call works with. */
static inline socket_handle open_socket(void) {
#ifdef _WIN32
    WSADATA unused;
    WSAStartup(MAKEWORD(2, 2), &unused);
#endif
    return socket(AF_INET, SOCK_STREAM, 0);
}

static inline void close_socket(socket_handle socket) {
#ifdef _WIN32
    closesocket(socket);
#else
    close(socket);
#endif
}

static inline int send_all(socket_handle socket, const char *bytes, size_t length) {
    while (length > 0) {
        const long sent = (long)send(socket, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) return 0;
        bytes += sent;
        length -= (size_t)sent;
    }
    return 1;
}

/* How many bytes came; 0 at the end, less after a failure. */
static inline long receive(socket_handle socket, char *into, size_t room) { return (long)recv(socket, into, room, 0); }

#endif
