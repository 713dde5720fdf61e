//! What the documentation's pictures show: stories told by the simulation.
//!
//! With `APIVIDEO_PICTURES=FILE` the test writes them there, in JSON, and `docs/pictures.py` draws
//! them: `make docs`, `make pictures`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::simulator::{Got, HOUR, MINUTE, Mode, SECOND, Simulator};
use crate::cache::events::Event;
use crate::cache::policy;
use crate::cache::policy::LEASE;

/// The renewal points are drawn, so another seed tells the stories with other minutes.
const SEED: u64 = 4;

/// A client that is read at regular times, and what was seen of it. All times count from its start.
struct Film {
    sim: Simulator,
    start: i64,
    last_seen: usize,
    tokens: Vec<Value>,
    reads: u64,
    failed: Vec<i64>,
}

impl Film {
    fn new() -> Film {
        let mut sim = Simulator::new(SEED, 1, false);
        let start = sim.now.mono_ms;
        sim.token(0);
        Film {
            sim,
            start,
            last_seen: 0,
            tokens: Vec::new(),
            reads: 0,
            failed: Vec::new(),
        }
    }

    fn now(&self) -> i64 {
        self.sim.now.mono_ms - self.start
    }

    /// Asks for a token every `each` ms until `end`.
    fn read_until(&mut self, end: i64, each: i64) {
        while self.now() < end {
            self.reads += 1;
            match self.sim.get(0) {
                Got::Now(Ok(token)) => {
                    let seen = Arc::as_ptr(&token) as usize;
                    if seen != self.last_seen {
                        self.last_seen = seen;
                        let (now, lifetime) = (self.sim.now, token.validity().lifetime_ms);
                        let usable_until = self.now() + token.usable_for_ms(now);
                        let expires = usable_until + policy::expiry_margin(lifetime);
                        self.tokens.push(json!({
                            "sent": expires - lifetime, "seen": self.now(), "due": self.now() + token.due_in_ms(now),
                            "usable_until": usable_until, "expires": expires,
                        }));
                    }
                }
                _ => self.failed.push(self.now()),
            }
            self.sim.pass(each);
        }
    }

    fn told(&self) -> Value {
        let requests: Vec<Value> = (self.sim.server.requests.iter())
            .map(|(at, refresh)| json!({"at": at - self.start, "refresh": refresh}))
            .collect();
        json!({
            "end": self.now(), "tokens": self.tokens, "requests": requests, "reads": self.reads,
            "failed": self.failed.len(), "first_failed": self.failed.first(), "last_failed": self.failed.last(),
        })
    }
}

/// Three tokens: the second comes by a refresh, the third by the API key, since the refresh token
/// was retired elsewhere.
fn life() -> Value {
    let mut film = Film::new();
    film.read_until(80 * MINUTE, SECOND);
    film.sim.server.revoke_refresh_token();
    film.read_until(130 * MINUTE, SECOND);
    assert_eq!(film.sim.server.refresh_rejections, 1);
    assert!(film.failed.is_empty());
    film.told()
}

/// api.video is away for `minutes`, from before the first renewal on.
fn outage(minutes: i64) -> Value {
    let begin = 41 * MINUTE;
    let mut film = Film::new();
    film.read_until(begin, SECOND);
    film.sim.server.mode = Mode::Refused;
    film.read_until(begin + minutes * MINUTE, SECOND);
    film.sim.server.mode = Mode::Up;
    film.read_until(80 * MINUTE, SECOND);
    let mut told = film.told();
    told["away"] = json!([begin, begin + minutes * MINUTE]);
    told
}

/// What a caller of `get_token` gets now, after which wait, and what is sent for it.
fn call(sim: &mut Simulator) -> Value {
    let before = sim.requests();
    let got = sim.get(0);
    let state = state_of(sim);
    let (waited_ms, answer) = match got {
        Got::Now(answer) => (0, answer),
        Got::Later(completion) => {
            let start = sim.now.mono_ms;
            let answer = loop {
                sim.pass(1);
                if let Some(answer) = sim.answer(0, completion) {
                    break answer;
                }
            };
            (sim.now.mono_ms - start, answer)
        }
    };
    let sent: Vec<&str> = sim.server.requests[before..]
        .iter()
        .map(|(_, refresh)| {
            if *refresh {
                "/auth/refresh"
            } else {
                "/auth/api-key"
            }
        })
        .collect();
    let error = answer.err();
    json!({
        "state": state, "waited_ms": waited_ms, "sent": sent,
        "error": error.as_ref().map(|error| format!("{:?}", error.status)),
        "retry_after_ms": error.and_then(|error| error.retry_after_ms),
    })
}

/// The state that was told last.
fn state_of(sim: &Simulator) -> String {
    let told = sim.clients[0].events.iter().rev();
    told.filter_map(|event| match event {
        Event::StateChanged(state) => Some(format!("{state:?}")),
        _ => None,
    })
    .next()
    .unwrap_or_else(|| "None".to_owned())
}

/// A call in each state.
fn states() -> Value {
    let mut calls = Vec::new();
    let mut sim = Simulator::new(SEED, 1, false);
    calls.push(call(&mut sim));
    calls.push(call(&mut sim));
    sim.pass(50 * MINUTE);
    sim.server.mode = Mode::Refused;
    sim.token(0);
    sim.pass(SECOND);
    calls.push(call(&mut sim));
    sim.server.mode = Mode::Up;
    sim.pass(SECOND);
    sim.token(0);
    sim.pass(2 * HOUR);
    calls.push(call(&mut sim));
    let token = sim.token(0);
    sim.invalidate(0, &token).unwrap();
    calls.push(call(&mut sim));
    sim.server.mode = Mode::Refused;
    sim.pass(2 * HOUR);
    sim.get(0);
    for _ in 0..20 {
        sim.pass(5 * SECOND);
        sim.get(0);
    }
    sim.pass(SECOND);
    calls.push(call(&mut sim));
    Value::Array(calls)
}

/// Processes that share a token and start one after the other, the last when the token is there
/// already. The one that gets the token is killed meanwhile, or is not.
fn sharing(is_killed: bool) -> Value {
    const STARTS: [i64; 4] = [0, 60, 130, 900];
    const KILLED: i64 = 150;
    let mut sim = Simulator::with_store(SEED, STARTS.len(), false);
    sim.server.latency_ms = 500;
    sim.journal = Some(Vec::new());
    let start = sim.now.mono_ms;
    let mut waiting: Vec<Option<u64>> = vec![None; STARTS.len()];
    let mut got: Vec<Option<i64>> = vec![None; STARTS.len()];
    let end = if is_killed { 7 * SECOND } else { 1_500 };
    for now in 0..end {
        for c in (0..STARTS.len()).filter(|c| STARTS[*c] == now) {
            waiting[c] = Some(sim.get(c).completion());
        }
        if is_killed && now == KILLED {
            sim.crash(0, false);
            waiting[0] = None;
        }
        sim.pass(1);
        for c in 0..STARTS.len() {
            if let Some(completion) = waiting[c]
                && let Some(answer) = sim.answer(c, completion)
            {
                assert!(answer.is_ok());
                (waiting[c], got[c]) = (None, Some(now + 1));
            }
        }
    }
    let killed = |c: usize| (is_killed && c == 0).then_some(KILLED);
    let steps: Vec<Value> = (sim.journal.iter().flatten())
        .map(|step| {
            json!({
                "process": step.client, "what": step.what,
                "at": step.at - start, "until": step.until - start,
            })
        })
        .collect();
    let processes: Vec<Value> = (0..STARTS.len())
        .map(|c| json!({"starts": STARTS[c], "got": got[c], "killed": killed(c)}))
        .collect();
    let exchanges = sim.requests();
    json!({"end": end, "lease": LEASE, "exchanges": exchanges, "processes": processes, "steps": steps})
}

#[test]
fn the_pictures_tell_what_they_are_to_tell() {
    let stories = json!({
        "life": life(),
        "states": states(),
        "outages": [outage(12), outage(25)],
        "sharing": [sharing(false), sharing(true)],
    });
    let exchanges = |n: usize| stories["sharing"][n]["exchanges"].as_u64().unwrap();
    assert_eq!(exchanges(0), 1, "one gets the token for all");
    assert_eq!(exchanges(1), 2, "and another if that one is killed");
    let got = stories["sharing"][1]["processes"].as_array().unwrap();
    let without = got
        .iter()
        .filter(|process| process["got"].is_null())
        .count();
    assert_eq!(without, 1, "all have it but the one that was killed");
    let failed = |n: usize| stories["outages"][n]["failed"].as_u64().unwrap();
    assert_eq!(failed(0), 0, "the token outlives an outage of 12 minutes");
    assert!(failed(1) > 0, "it does not outlive one of 25 minutes");
    let states: Vec<&str> = (stories["states"].as_array().unwrap().iter())
        .map(|call| call["state"].as_str().unwrap())
        .collect();
    let each = [
        "None",
        "Valid",
        "RenewalFailing",
        "Expired",
        "Rejected",
        "Unavailable",
    ];
    assert_eq!(states, each);
    if let Some(file) = std::env::var_os("APIVIDEO_PICTURES") {
        std::fs::write(file, stories.to_string()).unwrap();
    }
}
