//! Clients, a server and time, all simulated: what the tests of the state machine drive it with.
//!
//! Nothing sleeps and nothing is random but what the seed gives, so every run can be had again.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use crate::cache::events::Event;
use crate::cache::exchange::{Outcome, Request};
use crate::cache::record::{Loaded, Swap};
use crate::cache::sharing::{Sharing, StoreTask};
use crate::cache::state::{Answer, State, Task};
use crate::cache::waiters::{Purpose, TokenRequest};
use crate::clock::{Context, Now};
use crate::error::{Error, Status};
use crate::ffi::secret::Secret;
use crate::token::TokenSet;

use super::store::SimulatedStore;

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
const ATTEMPT_TIMEOUT: i64 = 10 * SECOND;
pub(super) const STORE_TIMEOUT: i64 = SECOND;
/// So much happens in no time of a test's.
const HOT_LOOP: usize = 100_000;

/// The dice of one simulated life: the same seed, the same life.
pub(super) struct Dice(fastrand::Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(fastrand::Rng::with_seed(seed))
    }

    pub(super) fn below(&mut self, limit: i64) -> i64 {
        self.0.i64(0..limit)
    }

    /// One of so many.
    pub(super) fn index(&mut self, count: usize) -> usize {
        self.0.usize(0..count)
    }

    pub(super) fn unit(&mut self) -> f64 {
        self.0.f64()
    }
}

/// What the server does to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Up,
    /// No connection: nothing is sent.
    Refused,
    /// Handled, but the reply never comes.
    Hang,
    /// Handled, but the connection is lost before the reply.
    LostReply,
    /// 503.
    Broken,
    /// 503, with that many milliseconds to wait.
    Busy(u64),
    /// 429, with that many milliseconds to wait where the server says so.
    Limited(Option<u64>),
}

/// api.video's rules: a refresh token works once, and dies when the key is authenticated again.
pub(super) struct Server {
    pub(super) mode: Mode,
    pub(super) key_works: bool,
    /// It asks to wait itself. Else somebody in between does.
    pub(super) own_words: bool,
    pub(super) lifetime_ms: i64,
    pub(super) latency_ms: i64,
    /// When each request came, and whether it was a refresh.
    pub(super) requests: Vec<(i64, bool)>,
    pub(super) refresh_rejections: u64,
    refresh_in_force: Option<u64>,
    granted: u64,
    /// When each access token ends, on the monotonic clock: it is no good after that, whatever a
    /// client thinks.
    ends: HashMap<String, i64>,
    /// Refresh tokens that the server has seen, in a way that may have spent them.
    seen: HashSet<String>,
}

impl Server {
    pub(super) fn revoke_refresh_token(&mut self) {
        self.refresh_in_force = None;
    }

    /// How long the exchange takes, and what comes of it.
    fn handle(&mut self, request: &Request, now: Now) -> (i64, Outcome) {
        self.requests
            .push((now.mono_ms, matches!(request, Request::Refresh(_))));
        let mode = self.mode;
        if let (Request::Refresh(set), false) = (request, mode == Mode::Refused) {
            let token = set.refresh_token().unwrap().as_str().to_owned();
            let limited = matches!(mode, Mode::Limited(_));
            assert!(
                !self.seen.contains(&token),
                "a spent refresh token was sent again"
            );
            if !limited {
                self.seen.insert(token);
            }
        }
        match mode {
            Mode::Up => (self.latency_ms, self.reply(request, now)),
            Mode::Refused => (0, failed(Status::NetworkError, false)),
            Mode::Hang => {
                self.reply(request, now);
                (ATTEMPT_TIMEOUT, failed(Status::Timeout, true))
            }
            Mode::LostReply => {
                self.reply(request, now);
                (self.latency_ms, failed(Status::NetworkError, true))
            }
            Mode::Broken => (self.latency_ms, failed(Status::ServerError, true)),
            Mode::Busy(retry_after_ms) => {
                let mut error = Error::new(Status::ServerError, "busy");
                error.retry_after_ms = Some(retry_after_ms);
                (self.latency_ms, self.asks(error, true))
            }
            Mode::Limited(retry_after_ms) => {
                let mut error = Error::new(Status::RateLimited, "slow down");
                error.retry_after_ms = retry_after_ms;
                (self.latency_ms, self.asks(error, false))
            }
        }
    }

    fn asks(&self, error: Error, spent: bool) -> Outcome {
        Outcome::Failed {
            error,
            spent,
            own_words: self.own_words,
        }
    }

    fn reply(&mut self, request: &Request, now: Now) -> Outcome {
        let refused = match request {
            Request::ApiKey { .. } if !self.key_works => Some(Status::KeyRejected),
            Request::ApiKey { .. } => None,
            Request::Refresh(set) => {
                let in_force = self.refresh_in_force.map(|id| format!("refresh-{id}"));
                let presented = set.refresh_token().map(|t| t.as_str().to_owned());
                (in_force != presented).then_some(Status::RefreshRejected)
            }
        };
        if let Some(status) = refused {
            self.refresh_rejections += u64::from(status == Status::RefreshRejected);
            return Outcome::Rejected(Error::new(status, "no"));
        }
        self.granted += 1;
        self.refresh_in_force = Some(self.granted);
        let access_token = format!("access-{}", self.granted);
        self.ends
            .insert(access_token.clone(), now.mono_ms + self.lifetime_ms);
        Outcome::Granted {
            access_token: Secret::new(&access_token),
            refresh_token: Some(Secret::new(&format!("refresh-{}", self.granted))),
            lifetime_ms: self.lifetime_ms,
        }
    }
}

/// The name of a process: the numbers that they have in their order, spread over all there are.
fn holder(number: u64) -> u64 {
    number.wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

fn failed(status: Status, spent: bool) -> Outcome {
    Outcome::Failed {
        error: Error::new(status, "fault"),
        spent,
        own_words: false,
    }
}

/// One client: its state, and what a cache would do for it.
pub(super) struct Client {
    pub(super) state: State<u64>,
    pub(super) published: Option<Arc<TokenSet>>,
    /// The answers that came, by completion.
    pub(super) answers: HashMap<u64, Answer>,
    pub(super) events: Vec<Event>,
    completions: u64,
    pub(super) flight: Option<Flight>,
    /// Its wall clock, compared with the others'.
    pub(super) skew_ms: i64,
    /// Stopped: until then nothing happens in it.
    pub(super) stopped_until: i64,
    /// Its name among those that share the token.
    pub(super) holder: u64,
    /// The access tokens that it was told of that the API rejects them.
    rejected: HashSet<String>,
    /// The completions of those who asked for an exchange, and get what it gave.
    explicit: HashSet<u64>,
}

impl Client {
    fn new(
        keep_fresh: bool,
        inherited: Option<Arc<TokenSet>>,
        holder: u64,
        shares: bool,
    ) -> Client {
        // As chance would draw them: over all numbers, and no two alike.
        let holder = holder.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let sharing = shares.then(|| Sharing::new(holder, STORE_TIMEOUT, true));
        Client {
            state: State::new(keep_fresh, inherited.clone(), sharing),
            published: inherited,
            answers: HashMap::new(),
            events: Vec::new(),
            completions: 0,
            flight: None,
            skew_ms: 0,
            stopped_until: i64::MIN,
            holder,
            rejected: HashSet::new(),
            explicit: HashSet::new(),
        }
    }

    /// When something next happens in it.
    fn next_event(&self, now: Now) -> Option<i64> {
        let back = self.flight.as_ref().map(|flight| flight.back_at);
        let next = [back, self.state.next_wake(now)]
            .into_iter()
            .flatten()
            .min();
        next.map(|at| at.max(self.stopped_until))
    }
}

pub(super) struct Flight {
    pub(super) under_way: UnderWay,
    sent: Now,
    back_at: i64,
}

/// What a flight does, and what will come of it.
pub(super) enum UnderWay {
    Exchange(Request, Outcome),
    Load(Result<Loaded, Error>),
    Swap(Swap, Result<bool, Error>),
    Pause,
}

impl UnderWay {
    fn name(&self) -> &'static str {
        match self {
            UnderWay::Exchange(..) => "exchange",
            UnderWay::Load(_) => "look",
            UnderWay::Swap(swap, Ok(true)) if swap.record.lease.is_some() => "lease",
            UnderWay::Swap(_, Ok(true)) => "token",
            UnderWay::Swap(..) => "conflict",
            UnderWay::Pause => "pause",
        }
    }
}

/// What a caller got.
#[derive(Debug)]
pub(super) enum Got {
    Now(Answer),
    Later(u64),
}

impl Got {
    pub(super) fn token(self) -> Arc<TokenSet> {
        match self {
            Got::Now(Ok(set)) => set,
            other => panic!("no token at once: {other:?}"),
        }
    }

    pub(super) fn error(self) -> Error {
        match self {
            Got::Now(Err(error)) => error,
            other => panic!("no error at once: {other:?}"),
        }
    }

    pub(super) fn completion(self) -> u64 {
        match self {
            Got::Later(completion) => completion,
            other => panic!("answered at once: {other:?}"),
        }
    }
}

/// All of it together.
pub(super) struct Simulator {
    pub(super) now: Now,
    pub(super) server: Server,
    pub(super) clients: Vec<Client>,
    pub(super) dice: Dice,
    /// Where the clients share their token, if they do.
    pub(super) store: Option<SimulatedStore>,
    /// What the clients ask, where a story is told of it.
    pub(super) journal: Option<Vec<Step>>,
    holders: u64,
}

/// Something that a client asked of the world, and from when to when.
pub(super) struct Step {
    pub(super) client: usize,
    pub(super) what: &'static str,
    pub(super) at: i64,
    pub(super) until: i64,
}

impl Simulator {
    pub(super) fn new(seed: u64, clients: usize, keep_fresh: bool) -> Simulator {
        Simulator::start(seed, clients, keep_fresh, None)
    }

    /// Clients that share their token.
    pub(super) fn with_store(seed: u64, clients: usize, keep_fresh: bool) -> Simulator {
        Simulator::start(seed, clients, keep_fresh, Some(SimulatedStore::new(seed)))
    }

    fn start(
        seed: u64,
        clients: usize,
        keep_fresh: bool,
        store: Option<SimulatedStore>,
    ) -> Simulator {
        let shares = store.is_some();
        let client = |c: usize| Client::new(keep_fresh, None, holder(c as u64), shares);
        Simulator {
            store,
            holders: clients as u64,
            now: Now {
                wall_ms: 1_700_000_000_000,
                mono_ms: 1_000_000,
            },
            server: Server {
                mode: Mode::Up,
                key_works: true,
                own_words: true,
                lifetime_ms: HOUR,
                latency_ms: 50,
                requests: Vec::new(),
                refresh_rejections: 0,
                refresh_in_force: None,
                granted: 0,
                ends: HashMap::new(),
                seen: HashSet::new(),
            },
            clients: (0..clients).map(client).collect(),
            journal: None,
            dice: Dice::new(seed),
        }
    }

    // --- What callers do ---

    /// A reader's fast path.
    pub(super) fn read(&mut self, c: usize) -> Option<Arc<TokenSet>> {
        let set = self.clients[c].published.clone()?;
        let now = self.now_of(c);
        if !set.is_usable(now) {
            return None;
        }
        self.judge(c, &set);
        if set.is_due(now) {
            self.clients[c].state.renew_if_due(now);
            self.carry_out(c);
        }
        Some(set)
    }

    /// The server's word on a token that is handed out: it has not ended, and was not rejected
    /// before. Only a store whose clock went back may hide its end from those who believe it.
    fn judge(&self, c: usize, set: &TokenSet) {
        let rejected = &self.clients[c].rejected;
        let comes_back = rejected.contains(set.access_token());
        assert!(!comes_back, "a rejected token comes back");
        let hidden = self.store.as_ref().map_or(0, |store| store.set_back_ms);
        let ended = self.now.mono_ms - self.server.ends[set.access_token()];
        assert!(ended < hidden.max(1), "it ended {ended} ms ago");
    }

    /// A whole `get_token`.
    pub(super) fn get(&mut self, c: usize) -> Got {
        match self.read(c) {
            Some(set) => Got::Now(Ok(set)),
            None => self.ask(c, self.token_request(Purpose::Token)),
        }
    }

    pub(super) fn token_request(&self, purpose: Purpose) -> TokenRequest {
        TokenRequest {
            purpose,
            min_validity_ms: 0,
            deadline_ms: self.now.mono_ms + 30 * SECOND,
            wait_for_recovery: false,
            needs_timer: true,
        }
    }

    pub(super) fn ask(&mut self, c: usize, request: TokenRequest) -> Got {
        let now = self.now_of(c);
        let client = &mut self.clients[c];
        let got = match client.state.answer_now(&request, now) {
            Some(answer) => Got::Now(answer),
            None => {
                client.completions += 1;
                let completion = client.completions;
                if request.purpose != Purpose::Token {
                    client.explicit.insert(completion);
                }
                client.state.wait(request, completion, now);
                Got::Later(completion)
            }
        };
        if let Got::Now(Ok(set)) = &got {
            self.judge(c, set);
        }
        self.carry_out(c);
        got
    }

    pub(super) fn invalidate(&mut self, c: usize, rejected: &Arc<TokenSet>) -> Result<(), Error> {
        let now = self.now_of(c);
        let client = &mut self.clients[c];
        let result = client.state.invalidate(rejected, now);
        if result.is_ok() {
            let text = rejected.access_token().to_owned();
            client.rejected.insert(text);
        }
        self.carry_out(c);
        result
    }

    /// The process forks: the child is a new client.
    pub(super) fn fork(&mut self, c: usize, keep_fresh: bool) -> usize {
        let inherited = self.clients[c].published.clone();
        let child = self.process(keep_fresh, inherited);
        self.clients.push(child);
        self.clients.len() - 1
    }

    fn process(&mut self, keep_fresh: bool, inherited: Option<Arc<TokenSet>>) -> Client {
        self.holders += 1;
        let holder = holder(self.holders);
        Client::new(keep_fresh, inherited, holder, self.store.is_some())
    }

    /// The process is killed, and another takes its place.
    pub(super) fn crash(&mut self, c: usize, keep_fresh: bool) {
        let next = self.process(keep_fresh, None);
        let killed = std::mem::replace(&mut self.clients[c], next);
        if let Some(store) = &mut self.store {
            store.died(killed.holder);
        }
    }

    /// The process is stopped for a while.
    pub(super) fn stop(&mut self, c: usize, ms: i64) {
        self.clients[c].stopped_until = self.now.mono_ms + ms;
    }

    pub(super) fn now_of(&self, c: usize) -> Now {
        Now {
            wall_ms: self.now.wall_ms + self.clients[c].skew_ms,
            ..self.now
        }
    }

    // --- Time ---

    /// Lets `ms` pass, and everything that happens meanwhile happen.
    pub(super) fn pass(&mut self, ms: i64) {
        let end = self.now.mono_ms + ms;
        let mut events = vec![0; self.clients.len()];
        let mut agenda: BinaryHeap<_> = (0..self.clients.len())
            .filter_map(|c| self.next_event(c))
            .collect();
        while let Some(Reverse((at, c))) = agenda.pop() {
            if at > end {
                break;
            }
            self.move_to(at.max(self.now.mono_ms));
            self.happen(c);
            events[c] += 1;
            assert!(events[c] < HOT_LOOP, "a hot loop");
            // What happens in one does not change what is to happen in another.
            agenda.extend(self.next_event(c));
        }
        self.move_to(end);
    }

    /// The machine sleeps: time passes, nothing happens.
    pub(super) fn suspend(&mut self, ms: i64) {
        self.now = self.now.plus(ms);
    }

    /// Somebody sets the wall clock.
    pub(super) fn set_wall(&mut self, by_ms: i64) {
        self.now.wall_ms += by_ms;
    }

    fn move_to(&mut self, mono_ms: i64) {
        self.now = self.now.plus(mono_ms - self.now.mono_ms);
    }

    fn next_event(&self, c: usize) -> Option<Reverse<(i64, usize)>> {
        let at = self.clients[c].next_event(self.now_of(c))?;
        Some(Reverse((at, c)))
    }

    fn happen(&mut self, c: usize) {
        let now = self.now_of(c);
        let client = &mut self.clients[c];
        if client
            .flight
            .as_ref()
            .is_some_and(|f| f.back_at <= now.mono_ms)
        {
            self.land(c);
        } else {
            client.state.wake(now);
        }
        self.carry_out(c);
    }

    fn land(&mut self, c: usize) {
        let at = self.context(c);
        let client = &mut self.clients[c];
        let flight = client.flight.take().unwrap();
        let next = match flight.under_way {
            UnderWay::Exchange(request, outcome) => {
                client.state.on_response(&request, outcome, flight.sent, at)
            }
            UnderWay::Load(result) => client.state.on_loaded(result, flight.sent, at),
            UnderWay::Swap(swap, result) => client.state.on_swapped(swap, result, flight.sent, at),
            UnderWay::Pause => client.state.on_paused(at),
        };
        self.send(c, next);
    }

    fn context(&mut self, c: usize) -> Context {
        Context {
            now: self.now_of(c),
            random: self.dice.unit(),
        }
    }

    fn send(&mut self, c: usize, task: Option<Task>) {
        let Some(task) = task else { return };
        let sent = self.now_of(c);
        let (took, under_way) = match task {
            Task::Exchange(request) => {
                let (took, outcome) = self.server.handle(&request, self.now);
                (took, UnderWay::Exchange(request, outcome))
            }
            Task::Store(StoreTask::Pause { ms }) => (ms, UnderWay::Pause),
            Task::Store(StoreTask::Load { limit_ms }) => {
                let store = self.store.as_mut().unwrap();
                let (took, result) = store.load(self.now, limit_ms);
                (took, UnderWay::Load(result))
            }
            Task::Store(StoreTask::Swap { swap, limit_ms }) => {
                let store = self.store.as_mut().unwrap();
                let (took, result) = store.swap(&swap, self.now, limit_ms);
                (took, UnderWay::Swap(*swap, result))
            }
        };
        assert!(self.clients[c].flight.is_none(), "two tasks at once");
        if let Some(journal) = &mut self.journal {
            journal.push(Step {
                client: c,
                what: under_way.name(),
                at: self.now.mono_ms,
                until: self.now.mono_ms + took,
            });
        }
        self.clients[c].flight = Some(Flight {
            under_way,
            sent,
            back_at: self.now.mono_ms + took,
        });
    }

    fn carry_out(&mut self, c: usize) {
        let now = self.now_of(c);
        let effects = self.clients[c].state.take_effects(now);
        let answers = effects.answers.iter();
        let answers = answers.filter(|(to, _)| !self.clients[c].explicit.contains(to));
        let given = answers.filter_map(|(_, answer)| answer.as_ref().ok());
        given.for_each(|set| self.judge(c, set));
        let client = &mut self.clients[c];
        if let Some(published) = effects.publish {
            client.published = published;
        }
        for (completion, answer) in effects.answers {
            assert!(
                client.answers.insert(completion, answer).is_none(),
                "answered twice"
            );
        }
        client.events.extend(effects.events);
        if effects.launch {
            // Without a store, nothing is drawn for this.
            let at = match self.store {
                Some(_) => self.context(c),
                None => Context { now, random: 0.5 },
            };
            let task = self.clients[c].state.next_task(at);
            self.send(c, task);
            self.carry_out(c);
        }
    }

    // --- What tests ask ---

    pub(super) fn answer(&mut self, c: usize, completion: u64) -> Option<Answer> {
        self.clients[c].answers.remove(&completion)
    }

    /// A valid token, however long it takes.
    pub(super) fn token(&mut self, c: usize) -> Arc<TokenSet> {
        match self.get(c) {
            Got::Now(answer) => answer.unwrap(),
            Got::Later(completion) => {
                self.pass(self.server.latency_ms * 2);
                while self.store.is_some() && !self.clients[c].answers.contains_key(&completion) {
                    self.pass(1);
                }
                self.answer(c, completion).unwrap().unwrap()
            }
        }
    }

    pub(super) fn requests(&self) -> usize {
        self.server.requests.len()
    }

    pub(super) fn refreshes(&self) -> usize {
        self.server
            .requests
            .iter()
            .filter(|(_, refresh)| *refresh)
            .count()
    }
}
