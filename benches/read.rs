//! The plain Rust peer: `Mutex<Arc<Token>>` and one look at the clock. `read_rs THREADS
//! MILLISECONDS CORES` prints nanoseconds for one read on one core.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};
use std::{env, thread};

struct Token {
    authorization: String,
    expires: Instant,
}

fn read(published: &Mutex<Arc<Token>>) -> Option<Arc<Token>> {
    let token = Arc::clone(&*published.lock().ok()?);
    (Instant::now() < token.expires).then_some(token)
}

fn ns_per_read(threads: usize, span: Duration, cores: usize) -> f64 {
    let published = Mutex::new(Arc::new(Token {
        authorization: "Bearer of an access token".to_owned(),
        expires: Instant::now() + Duration::from_secs(3_600),
    }));
    let over = AtomicBool::new(false);
    let start = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let mut done = 0_u64;
                    while !over.load(Ordering::Relaxed) {
                        for _ in 0..1_000 {
                            let token = read(&published).expect("a valid token");
                            black_box(token.authorization.as_bytes()[0]);
                        }
                        done += 1_000;
                    }
                    done
                })
            })
            .collect();
        start.wait();
        let began = Instant::now();
        thread::sleep(span);
        over.store(true, Ordering::Relaxed);
        let done: u64 = readers
            .into_iter()
            .map(|r| r.join().expect("a reader"))
            .sum();
        began.elapsed().as_nanos() as f64 * cores.min(threads) as f64 / done as f64
    })
}

fn main() {
    let numbers: Vec<u64> = env::args()
        .skip(1)
        .map(|n| n.parse().expect("a number"))
        .collect();
    println!(
        "{:.2}",
        ns_per_read(
            numbers[0] as usize,
            Duration::from_millis(numbers[1]),
            numbers[2] as usize
        )
    );
}
