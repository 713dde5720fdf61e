//! An upload, a server and time, all simulated. Nothing sleeps, and nothing is random but what the
//! seed gives.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::{Context, Now};
use crate::error::{Error, Status};
use crate::upload::chunks::{Chunk, Missing};
use crate::upload::exchange::{Ask, Failure, Ingest, Job, Receipt, Received, Refusal, Rejected};
use crate::upload::pace::Limits;
use crate::upload::policy::SMALLEST_CHUNK;
use crate::upload::state::{Completed, Fill, Settings, State};

pub(super) const MIB: u64 = 1024 * 1024;
pub(super) const C: u64 = SMALLEST_CHUNK;
pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
/// No upload of a test has so much to do.
const HOT_LOOP: usize = 200_000;

/// What goes wrong with one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// 500, and the body was not looked at.
    Broken,
    /// 502 of a gateway, which had passed the request on.
    BadGateway,
    /// 503 that asks to wait for 7 s.
    Busy,
    /// 429 before the body, and after it.
    LimitedEarly,
    LimitedLate,
    /// 401 before the body, and after it.
    UnauthorizedEarly,
    UnauthorizedLate,
    /// Lost in the middle of the body.
    Reset,
    /// The server has all, and its reply is lost.
    LostReply,
    /// Nothing moves for a minute: in the body, or after it.
    StallInBody,
    StallAtEnd,
}

pub(super) const FAULTS: [Fault; 11] = [
    Fault::Broken,
    Fault::BadGateway,
    Fault::Busy,
    Fault::LimitedEarly,
    Fault::LimitedLate,
    Fault::UnauthorizedEarly,
    Fault::UnauthorizedLate,
    Fault::Reset,
    Fault::LostReply,
    Fault::StallInBody,
    Fault::StallAtEnd,
];

impl Fault {
    /// The server acts on the request all the same.
    fn is_handled(self) -> bool {
        matches!(
            self,
            Fault::BadGateway | Fault::LostReply | Fault::StallAtEnd
        )
    }

    /// The client must take it that the server may have acted.
    fn may_have_arrived(self) -> bool {
        self.is_handled() || matches!(self, Fault::Broken | Fault::Busy)
    }

    pub(super) fn needs_a_bearer(self) -> bool {
        matches!(self, Fault::UnauthorizedEarly | Fault::UnauthorizedLate)
    }

    fn takes(self) -> i64 {
        match self {
            Fault::StallInBody | Fault::StallAtEnd => MINUTE,
            _ => 0,
        }
    }

    fn failure(self) -> Box<Failure> {
        let (refusal, status) = match self {
            Fault::LimitedEarly | Fault::LimitedLate => (Refusal::Limited, Status::RateLimited),
            Fault::UnauthorizedEarly | Fault::UnauthorizedLate => {
                (Refusal::Unauthorized, Status::TokenRejected)
            }
            Fault::Broken | Fault::BadGateway | Fault::Busy => {
                (Refusal::Passing, Status::ServerError)
            }
            _ => (Refusal::Passing, Status::NetworkError),
        };
        let mut error = Error::new(status, "fault");
        error.retry_after_ms = match self {
            Fault::Busy => Some(7_000),
            Fault::LimitedEarly | Fault::LimitedLate => Some(20_000),
            _ => None,
        };
        Box::new(Failure {
            refusal,
            error,
            may_have_arrived: self.may_have_arrived(),
        })
    }
}

/// A video as the server has it.
#[derive(Default, Debug)]
pub(super) struct Video {
    pub(super) is_in_bytes: Option<bool>,
    pub(super) total: Option<u64>,
    /// By what the server tells chunks apart: their first byte, or their number.
    pub(super) chunks: BTreeMap<u64, Chunk>,
    pub(super) is_complete: bool,
}

/// api.video's rules.
pub(super) struct Server {
    pub(super) videos: BTreeMap<u32, Video>,
    /// What is told of a chunk shows so much later.
    pub(super) status_lag: i64,
    arrived_at: BTreeMap<(u32, Chunk), i64>,
    /// Uploads that a window of a minute lets through.
    pub(super) limit: Option<u64>,
    window: (i64, u64),
    pub(super) limited: usize,
    /// For so many chunks a token is good.
    pub(super) token_lives: Option<u64>,
    token: (u64, u64),
    /// Uploads, questions, and questions for the video.
    pub(super) uploads: Vec<(i64, Chunk)>,
    pub(super) statuses: usize,
    pub(super) gets: usize,
    pub(super) renewals: usize,
}

fn refuse(refusal: Refusal, status: Status) -> Box<Failure> {
    Box::new(Failure {
        refusal,
        error: Error::new(status, "refused"),
        may_have_arrived: false,
    })
}

fn final_refusal(why: &str) -> Box<Failure> {
    let mut failure = refuse(Refusal::Final, Status::RequestRejected);
    failure.error.message = why.to_owned();
    failure
}

impl Server {
    fn new() -> Server {
        Server {
            videos: BTreeMap::new(),
            status_lag: 0,
            arrived_at: BTreeMap::new(),
            limit: None,
            window: (0, 0),
            limited: 0,
            token_lives: None,
            token: (1, 0),
            uploads: Vec::new(),
            statuses: 0,
            gets: 0,
            renewals: 0,
        }
    }

    fn limits(&mut self, now: i64) -> Option<Limits> {
        let limit = self.limit?;
        if now - self.window.0 >= MINUTE {
            self.window = (now, 0);
        }
        let left = self.window.0 + MINUTE - now;
        Some(Limits {
            remaining: limit.saturating_sub(self.window.1),
            // In whole seconds, rounded down.
            resets_in_ms: left / SECOND * SECOND,
        })
    }

    /// Counts one upload, and says whether it is let through.
    fn count(&mut self, now: i64) -> bool {
        let Some(limits) = self.limits(now) else {
            return true;
        };
        self.window.1 += 1;
        self.limited += usize::from(limits.remaining == 0);
        limits.remaining > 0
    }

    /// Somebody else uses the same project.
    pub(super) fn used_by_another(&mut self, now: i64) {
        let _ = self.limits(now);
        self.window.1 += 1;
    }

    fn upload(
        &mut self,
        job: &Job,
        by_token: bool,
        token: u64,
        fault: Option<Fault>,
        now: i64,
    ) -> (Result<Receipt<&'static str>, Box<Failure>>, Option<Limits>) {
        self.uploads.push((now, job.chunk));
        if !self.count(now) {
            let limits = self.limits(now);
            let mut failure = refuse(Refusal::Limited, Status::RateLimited);
            failure.error.retry_after_ms = limits.map(|l| l.resets_in_ms.unsigned_abs());
            return (Err(failure), limits);
        }
        let limits = self.limits(now);
        let outcome = match fault {
            Some(fault) if !fault.is_handled() => Err(fault.failure()),
            Some(fault) => {
                let _ = self.handle(job, by_token, token, now);
                Err(fault.failure())
            }
            None => self.handle(job, by_token, token, now),
        };
        let is_reply = fault.is_none_or(|fault| fault.takes() == 0);
        (outcome, limits.filter(|_| is_reply))
    }

    fn handle(
        &mut self,
        job: &Job,
        by_token: bool,
        token: u64,
        now: i64,
    ) -> Result<Receipt<&'static str>, Box<Failure>> {
        if !by_token && !self.takes_token(token) {
            return Err(refuse(Refusal::Unauthorized, Status::TokenRejected));
        }
        let id = match (&job.video_id, by_token) {
            (Some(id), true) => id.parse().unwrap(),
            (None, true) => {
                let id = self.videos.len() as u32 + 1;
                self.videos.insert(id, Video::default());
                id
            }
            (named, false) => {
                assert_eq!(*named, None, "a bearer's video is in the path");
                1
            }
        };
        let video = self.videos.get_mut(&id).unwrap();
        video.receive(job)?;
        let is_video = video.is_complete;
        self.arrived_at.insert((id, job.chunk), now);
        Ok(Receipt {
            video_id: Some(id.to_string()),
            reply: if is_video { "the video" } else { "a chunk" },
            is_video,
        })
    }

    /// Whether a token is good, for one more chunk.
    fn takes_token(&mut self, token: u64) -> bool {
        self.token.1 += 1;
        let lives = self.token_lives.is_none_or(|lives| self.token.1 <= lives);
        token == self.token.0 && lives
    }

    fn renew(&mut self) {
        self.token = (self.token.0 + 1, 0);
        self.renewals += 1;
    }

    fn status(&mut self, id: u32, now: i64) -> Ingest {
        let video = &self.videos[&id];
        let shows = |chunk: &Chunk| now - self.arrived_at[&(id, *chunk)] >= self.status_lag;
        let shown: Vec<(u64, Chunk)> = video
            .chunks
            .iter()
            .filter(|(_, chunk)| shows(chunk))
            .map(|(key, chunk)| (*key, *chunk))
            .collect();
        let is_complete = video.is_complete && shown.len() == video.chunks.len();
        let received = match (video.is_in_bytes, shown.is_empty()) {
            (None, _) | (_, true) => Received::Nothing,
            (Some(true), _) => Received::Bytes {
                ranges: shown.into_iter().map(|(_, chunk)| chunk).collect(),
                total: video.total,
            },
            (Some(false), _) => Received::Parts {
                numbers: shown.into_iter().map(|(number, _)| number).collect(),
                total: video.total,
            },
        };
        let size = is_complete.then(|| video.chunks.values().map(|c| c.len()).sum());
        Ingest {
            is_complete,
            size,
            received,
        }
    }
}

impl Video {
    fn receive(&mut self, job: &Job) -> Result<(), Box<Failure>> {
        let Job { chunk, .. } = *job;
        if self.is_complete {
            return Err(refuse(Refusal::AlreadyUploaded, Status::RequestRejected));
        }
        let Some(range) = &job.content_range else {
            if self.is_in_bytes.is_some() {
                return Err(final_refusal("already initiated"));
            }
            assert_eq!(chunk.from, 0);
            self.chunks.insert(0, chunk);
            self.is_complete = true;
            return Ok(());
        };
        let (kind, rest) = range.split_once(' ').unwrap();
        let (what, total) = rest.split_once('/').unwrap();
        let is_in_bytes = kind == "bytes";
        if *self.is_in_bytes.get_or_insert(is_in_bytes) != is_in_bytes {
            return Err(final_refusal("another form"));
        }
        let total: Option<u64> = (total != "*").then(|| total.parse().unwrap());
        if self.total.is_some() && total.is_some() && self.total != total {
            return Err(final_refusal("another total"));
        }
        self.total = self.total.or(total);
        let key = match is_in_bytes {
            true => {
                let (from, to) = what.split_once('-').unwrap();
                let told = Chunk::new(from.parse().unwrap(), to.parse::<u64>().unwrap() + 1);
                assert_eq!(told, chunk, "the range is not that of the bytes");
                let overlaps = |c: &Chunk| c.from < chunk.to && chunk.from < c.to;
                if self.chunks.values().any(overlaps) {
                    return Err(refuse(Refusal::AlreadySent, Status::RequestRejected));
                }
                chunk.from
            }
            false => {
                let number: u64 = what.parse().unwrap();
                if self.chunks.contains_key(&number) {
                    return Err(refuse(Refusal::AlreadySent, Status::RequestRejected));
                }
                if self.total.is_some_and(|total| number > total) {
                    return Err(final_refusal("too high a part"));
                }
                number
            }
        };
        let is_last = match is_in_bytes {
            true => self.total == Some(chunk.to),
            false => self.total == Some(key),
        };
        if chunk.len() < SMALLEST_CHUNK && !is_last {
            return Err(final_refusal("too small"));
        }
        self.chunks.insert(key, chunk);
        self.is_complete = match is_in_bytes {
            true => self.total == Some(self.chunks.values().map(|c| c.len()).sum()),
            false => self.total == Some(self.chunks.len() as u64),
        };
        Ok(())
    }

    /// The total of parts was told.
    pub(super) fn end_in_parts(&mut self, total: u64) {
        self.total = Some(total);
    }

    /// The chunks, in the order in which the server puts them together, are the source.
    pub(super) fn is_whole(&self, size: u64) -> bool {
        let mut end = 0;
        self.chunks.values().all(|chunk| {
            let fits = chunk.from == end;
            end = chunk.to;
            fits
        }) && end == size
            && self.is_complete
    }
}

/// A program that hands its bytes over: as the library's writer does it.
pub(super) struct Program {
    length: u64,
    knows_length: bool,
    /// Full, and the last unless more comes.
    held: Option<Chunk>,
    has_ended: bool,
}

impl Program {
    fn write(&mut self, state: &mut State<&'static str>) {
        while !self.has_ended {
            if let Some(chunk) = self.held.take() {
                self.has_ended = chunk.to == self.length;
                if self.has_ended {
                    state.end_at(self.length);
                }
                state.filled(chunk);
                continue;
            }
            if !state.has_room() {
                return;
            }
            match state.fill() {
                Fill::NotYet => return,
                Fill::Nothing => {
                    self.has_ended = true;
                    if !self.knows_length {
                        state.end_at(self.length);
                    }
                }
                Fill::Chunk(chunk) if self.knows_length => state.filled(chunk),
                Fill::Chunk(chunk) => {
                    self.held = Some(Chunk::new(chunk.from, chunk.to.min(self.length)));
                }
            }
        }
    }
}

enum Event {
    Chunk(
        Chunk,
        u64,
        Result<Receipt<&'static str>, Box<Failure>>,
        Option<Limits>,
    ),
    Status(Option<Chunk>, u64, Result<Ingest, Box<Failure>>),
    Video(u64, Result<&'static str, Box<Failure>>),
}

/// All of it together.
pub(super) struct Simulator {
    pub(super) now: i64,
    pub(super) settings: Settings,
    pub(super) state: State<&'static str>,
    pub(super) server: Server,
    pub(super) length: u64,
    program: Option<Program>,
    lanes: Vec<Option<(i64, Event)>>,
    /// What strikes the next chunks, and the next questions.
    pub(super) chunk_faults: Box<dyn FnMut() -> Option<Fault>>,
    pub(super) question_faults: Box<dyn FnMut() -> Option<Fault>>,
    pub(super) latency: Box<dyn FnMut() -> i64>,
    pub(super) random: Box<dyn FnMut() -> f64>,
    pub(super) struck: Vec<(Chunk, Fault)>,
    /// Told to the client as received: never to be sent again.
    acknowledged: BTreeSet<Chunk>,
    last_progress: u64,
    token: u64,
    replaced_at: i64,
    /// The server gives new access tokens.
    pub(super) gives_tokens: bool,
}

/// A file's upload, one chunk after the other.
pub(super) fn file(length: u64) -> Settings {
    Settings {
        size: Some(length),
        is_pushed: false,
        chunk_size: C,
        parallel: 1,
        resume: false,
        by_token: false,
        video_id: Some("1".to_owned()),
        has_key: true,
    }
}

pub(super) fn stream(parallel: usize) -> Settings {
    Settings {
        size: None,
        is_pushed: true,
        parallel,
        ..file(0)
    }
}

pub(super) fn by_token(settings: Settings) -> Settings {
    Settings {
        by_token: true,
        video_id: None,
        has_key: false,
        ..settings
    }
}

impl Simulator {
    pub(super) fn new(settings: Settings, length: u64) -> Simulator {
        let mut server = Server::new();
        if settings.video_id.is_some() {
            server.videos.insert(1, Video::default());
        }
        let mut simulator = Simulator {
            now: 1_000_000,
            state: State::new(settings.clone()),
            server,
            length,
            program: None,
            lanes: Vec::new(),
            chunk_faults: Box::new(|| None),
            question_faults: Box::new(|| None),
            latency: Box::new(|| 50),
            random: Box::new(|| 0.5),
            struck: Vec::new(),
            acknowledged: BTreeSet::new(),
            last_progress: 0,
            token: 1,
            replaced_at: 0,
            gives_tokens: true,
            settings,
        };
        simulator.start_process();
        simulator
    }

    fn start_process(&mut self) {
        self.lanes = (0..self.settings.parallel).map(|_| None).collect();
        self.last_progress = 0;
        self.program = self.settings.is_pushed.then_some(Program {
            length: self.length,
            knows_length: self.settings.size.is_some(),
            held: None,
            has_ended: false,
        });
    }

    /// The process ends in the middle, and another goes on.
    pub(super) fn crash(&mut self, settings: Settings) {
        self.settings = Settings {
            resume: true,
            ..settings
        };
        self.state = State::new(self.settings.clone());
        self.acknowledged.clear();
        self.start_process();
    }

    /// To the end.
    pub(super) fn run(&mut self) -> Result<Completed<&'static str>, Error> {
        self.run_until(i64::MAX);
        self.state.result().expect("it never ends").clone()
    }

    /// For this long, or to the end.
    pub(super) fn run_for(&mut self, ms: i64) {
        self.run_until(self.now + ms);
    }

    fn run_until(&mut self, end: i64) {
        for _ in 0..HOT_LOOP {
            let wake_at = self.do_what_is_asked();
            if self.state.result().is_some() && self.lanes.iter().all(Option::is_none) {
                return;
            }
            let lane_at = self.lanes.iter().flatten().map(|(at, _)| *at).min();
            let next = [wake_at, lane_at].into_iter().flatten().min();
            let next = next.expect("nothing will ever happen");
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.land();
            self.check();
        }
        panic!("a hot loop");
    }

    /// Gives each lane that has nothing to do the next thing; when to look again.
    fn do_what_is_asked(&mut self) -> Option<i64> {
        let mut wake_at: Option<i64> = None;
        for lane in 0..self.lanes.len() {
            if let Some(program) = &mut self.program {
                program.write(&mut self.state);
            }
            if self.lanes[lane].is_some() {
                continue;
            }
            match self.state.next(self.now) {
                Ask::Send(job) => self.lanes[lane] = Some(self.send(&job)),
                Ask::Status(about) => self.lanes[lane] = Some(self.ask_status(about)),
                Ask::Video => self.lanes[lane] = Some(self.ask_video()),
                Ask::Wait(at) => wake_at = [wake_at, at].into_iter().flatten().min(),
                Ask::End => {}
            }
        }
        wake_at
    }

    fn send(&mut self, job: &Job) -> (i64, Event) {
        let overlaps = |c: &Chunk| c.from < job.chunk.to && job.chunk.from < c.to;
        assert!(
            !self.acknowledged.iter().any(overlaps),
            "{} was acknowledged, and is sent again",
            job.chunk
        );
        let must_go_alone = self.settings.by_token && job.video_id.is_none();
        let others = self.lanes.iter().flatten().count();
        assert!(!must_go_alone || others == 0, "a video for each chunk");
        let fault = (self.chunk_faults)();
        if let Some(fault) = fault {
            self.struck.push((job.chunk, fault));
        }
        let by_token = self.settings.by_token;
        let (outcome, limits) = self
            .server
            .upload(job, by_token, self.token, fault, self.now);
        let takes = fault.map_or(0, Fault::takes) + (self.latency)();
        let event = Event::Chunk(job.chunk, self.token, outcome, limits);
        (self.now + takes, event)
    }

    fn ask_status(&mut self, about: Option<Chunk>) -> (i64, Event) {
        self.server.statuses += 1;
        let id = self.asked_video();
        let outcome = match (self.question_faults)() {
            Some(fault) => Err(fault.failure()),
            None => Ok(self.server.status(id, self.now)),
        };
        (
            self.now + (self.latency)(),
            Event::Status(about, self.token, outcome),
        )
    }

    fn ask_video(&mut self) -> (i64, Event) {
        self.server.gets += 1;
        let is_complete = self.server.videos[&self.asked_video()].is_complete;
        assert!(is_complete, "asked for a video that is not complete");
        let outcome = match (self.question_faults)() {
            Some(fault) => Err(fault.failure()),
            None => Ok("the video"),
        };
        (
            self.now + (self.latency)(),
            Event::Video(self.token, outcome),
        )
    }

    fn asked_video(&self) -> u32 {
        assert!(self.settings.has_key, "asked without a key");
        self.state.video_id().unwrap().parse().unwrap()
    }

    fn land(&mut self) {
        for lane in 0..self.lanes.len() {
            let is_due = |(at, _): &mut (i64, Event)| *at <= self.now;
            let Some((_, event)) = self.lanes[lane].take_if(is_due) else {
                continue;
            };
            let at = Context {
                now: Now {
                    wall_ms: self.now,
                    mono_ms: self.now,
                },
                random: (self.random)(),
            };
            self.remember(&event);
            match event {
                Event::Chunk(chunk, token, outcome, limits) => {
                    self.state.on_chunk(chunk, token, outcome, limits, at);
                }
                Event::Status(about, token, outcome) => {
                    self.state.on_status(about, token, outcome, at);
                }
                Event::Video(token, outcome) => self.state.on_video(token, outcome, at),
            }
            if let Some(rejected) = self.state.take_effects().rejected {
                self.reject(rejected);
            }
        }
    }

    /// What the client was told.
    fn remember(&mut self, event: &Event) {
        match event {
            Event::Chunk(chunk, _, Ok(_), _) => drop(self.acknowledged.insert(*chunk)),
            Event::Status(_, _, Ok(ingest)) => match &ingest.received {
                Received::Bytes { ranges, .. } => self.acknowledged.extend(ranges),
                Received::Parts { .. } | Received::Nothing => {}
            },
            _ => {}
        }
    }

    /// What a client's cache makes of it: a new token that is rejected at once is not replaced.
    fn reject(&mut self, rejected: Rejected) {
        let on_trial = self.now < self.replaced_at + MINUTE;
        let is_renewed = rejected.has_worked || !on_trial;
        if rejected.token == self.token && is_renewed && self.gives_tokens {
            self.server.renew();
            self.token = self.server.token.0;
            self.replaced_at = self.now;
        }
    }

    fn check(&mut self) {
        let progress = self.state.acknowledged();
        assert!(progress >= self.last_progress, "progress goes back");
        assert!(progress <= self.length, "too much progress");
        self.last_progress = progress;
    }

    /// The upload is as it should be: whole, and exactly one, but for what a lost first reply of an
    /// upload by token left behind.
    pub(super) fn check_whole(&self, completed: &Completed<&'static str>) {
        let id: u32 = completed.video_id.as_deref().unwrap().parse().unwrap();
        let video = &self.server.videos[&id];
        assert!(video.is_whole(self.length), "{video:?} of {}", self.length);
        let left_behind = self.server.videos.len() - 1;
        let unnamed = |(chunk, fault): &&(Chunk, Fault)| chunk.from == 0 && fault.is_handled();
        let lost = self.struck.iter().filter(unnamed).count();
        assert!(left_behind <= lost, "{left_behind} videos too many");
        assert_eq!(self.state.acknowledged(), self.length);
        if self.settings.has_key {
            assert_eq!(completed.reply, Some("the video"));
        }
    }

    /// How often each chunk was sent.
    pub(super) fn sends(&self) -> BTreeMap<Chunk, usize> {
        let mut sends = BTreeMap::new();
        for (_, chunk) in &self.server.uploads {
            *sends.entry(*chunk).or_default() += 1;
        }
        sends
    }

    /// No more was sent than the faults explain: each costs one more of its chunk, and one
    /// question.
    pub(super) fn check_economy(&self) {
        for (chunk, sent) in self.sends() {
            let struck = self.struck.iter().filter(|(c, _)| *c == chunk).count();
            assert!(sent <= 1 + struck, "{chunk} was sent {sent} times");
        }
        let lost = |(_, fault): &&(Chunk, Fault)| fault.may_have_arrived();
        let lost = self.struck.iter().filter(lost).count();
        assert!(self.server.statuses <= lost, "too many questions");
    }

    pub(super) fn missing(&self) -> u64 {
        let mut missing = Missing::all(Some(self.length));
        let had: Vec<Chunk> = self.server.videos[&1].chunks.values().copied().collect();
        missing.remove(&had);
        missing.len()
    }
}
