//! Whatever a server sends in answer to a request, nothing panics, no more is kept than may be, and
//! no error repeats a secret.
//!
//! Input: "H" for a request with HEAD, or anything else; then the bytes of the reply.
#![no_main]

use apivideo::{Problem, Status};
use libfuzzer_sys::fuzz_target;

const LARGEST: usize = 1_000;
/// The token of the request, and one in its path.
const TOKEN: &str = "~access-token-of-the-request~";
const IN_PATH: &str = "~upload-token~";

fn is_presentable(problem: &Problem) -> bool {
    let texts = [&problem.kind, &problem.title, &problem.name, &problem.detail];
    texts.into_iter().all(|text| {
        !text.chars().any(char::is_control)
            && text.chars().count() <= 300
            && !text.contains(TOKEN)
            && !text.contains(IN_PATH)
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, raw)) = input.split_first() else {
        return;
    };
    let path = format!("/upload-tokens/{IN_PATH}?a=b");
    match apivideo::fuzz::answer(raw, &path, *kind == b'H', LARGEST as u64, TOKEN) {
        None => {}
        Some(Ok(response)) => {
            assert!((200..=299).contains(&response.status()));
            assert!(response.body().len() <= LARGEST);
            assert!(!response.next_page().contains('\0'));
            assert!(*kind != b'H' || response.body().is_empty());
            let _ = response.header("X-RateLimit-Remaining");
        }
        Some(Err(error)) => {
            assert!(error.http_status.is_some());
            let said = [
                Status::RequestRejected,
                Status::RateLimited,
                Status::ServerError,
                Status::ProtocolError,
                // Of a body that broke off.
                Status::NetworkError,
            ];
            assert!(said.contains(&error.status), "{error}");
            assert!(!error.message.chars().any(char::is_control), "{error:?}");
            let told = format!("{error} {error:?}");
            assert!(!told.contains(TOKEN) && !told.contains(IN_PATH), "{told}");
            assert!(is_presentable(&error.problem));
            assert!(error.problem.problems.len() <= 100);
            assert!(error.problem.problems.iter().all(is_presentable));
        }
    }
});
