//! What is uploaded in tests, who uploads it, and to whom.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use apivideo::{Client, Config, Progress, Response, Upload};
use apivideo_sandbox::{LogEntry, Options, Sandbox};
use serde_json::{Value, json};

use super::{client_with, config_for};

/// The smallest chunk.
pub const C: u64 = 5 * 1024 * 1024;
/// No upload of a test takes longer.
pub const LONG: Duration = Duration::from_secs(60);

// --- What is uploaded ---

/// Numbers at random, the same for the same seed, which is not 0.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of the numbers below this.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

/// Bytes of which no two chunks are the same.
fn bytes(length: u64) -> Vec<u8> {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let words = length.div_ceil(8);
    let mut bytes: Vec<u8> = (0..words).flat_map(|_| dice.roll().to_le_bytes()).collect();
    bytes.truncate(usize::try_from(length).unwrap());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256)
        .map(|n| {
            (0..8).fold(n, |c, _| {
                (c >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(c & 1))
            })
        })
        .collect();
    let step = |c: u32, b: &u8| table[((c ^ u32::from(*b)) & 0xFF) as usize] ^ (c >> 8);
    !bytes.iter().fold(!0, step)
}

/// A file that is removed when it is dropped.
pub struct TestFile {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub crc32: u32,
}

impl TestFile {
    pub fn new(name: &str, length: u64) -> TestFile {
        let name = format!("upload-{}-{name}.mp4", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let bytes = bytes(length);
        fs::write(&path, &bytes).unwrap();
        let crc32 = crc32(&bytes);
        TestFile { path, bytes, crc32 }
    }

    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

// --- Who uploads ---

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    File,
    /// Of known length.
    Sized,
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Door {
    Video,
    Token,
}

/// A server with a user.
pub struct World {
    pub sandbox: Arc<Sandbox>,
    pub client: Client,
    pub config: Config,
    /// How many videos it has from the start.
    pub videos: usize,
}

impl World {
    pub fn new() -> World {
        World::with(Options::default(), |_| ())
    }

    pub fn with(options: Options, set: impl FnOnce(&mut Config)) -> World {
        let sandbox = Arc::new(Sandbox::start(options).unwrap());
        let mut config = config_for(sandbox.base_url(), &sandbox);
        set(&mut config);
        World::of(sandbox, config)
    }

    pub fn of(sandbox: Arc<Sandbox>, config: Config) -> World {
        let client = client_with(&config);
        World {
            videos: sandbox.videos().len(),
            sandbox,
            client,
            config,
        }
    }

    pub fn post(&self, path: &str, json: &Value) -> Value {
        let reply = self.client.request("POST", path, Some(&json.to_string()));
        serde_json::from_slice(reply.unwrap().body()).unwrap()
    }

    pub fn new_video(&self) -> String {
        let video = self.post("/videos", &json!({ "title": "A video" }));
        video["videoId"].as_str().unwrap().to_owned()
    }

    pub fn new_token(&self) -> String {
        let token = self.post("/upload-tokens", &json!({}));
        token["token"].as_str().unwrap().to_owned()
    }

    /// An upload that is not started, and of which client.
    pub fn upload(&self, file: &TestFile, source: Source, door: Door) -> (Client, Upload) {
        let client = match door {
            Door::Video => client_with(&self.config),
            Door::Token => Client::without_key(&self.config).unwrap(),
        };
        let mut upload = client.new_upload();
        match door {
            Door::Video => upload.set_video_id(&self.new_video()).unwrap(),
            Door::Token => upload.set_token(&self.new_token()).unwrap(),
        }
        upload.set_chunk_size(C).unwrap();
        match source {
            Source::File => upload.set_file(file.path()).unwrap(),
            Source::Sized => upload.set_size(file.bytes.len() as u64).unwrap(),
            Source::Stream => {}
        }
        (client, upload)
    }

    pub fn uploads(&self) -> Vec<LogEntry> {
        self.log(|entry| entry.path == "/upload" || entry.path.ends_with("/source"))
    }

    pub fn log(&self, is: impl Fn(&LogEntry) -> bool) -> Vec<LogEntry> {
        self.sandbox.log().into_iter().filter(is).collect()
    }

    /// The video is complete, and has the bytes of the file.
    pub fn check(&self, upload: &Upload, response: &Response, file: &TestFile) {
        let told: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(told["videoId"], upload.video_id());
        let video = self.sandbox.video(upload.video_id()).unwrap();
        assert!(video.complete, "{video:?}");
        assert_eq!(video.length, file.bytes.len() as u64);
        assert_eq!(video.crc32, file.crc32);
        let length = file.bytes.len() as u64;
        let all = Progress {
            acknowledged: length,
            sent: length,
            total: length,
        };
        assert_eq!(upload.progress(), all);
    }
}

/// Hands over the bytes, if the upload has no file.
pub fn feed(upload: &Upload, file: &TestFile, source: Source) -> Result<(), apivideo::Error> {
    if source == Source::File {
        return Ok(());
    }
    for part in file.bytes.chunks(1_000_003) {
        upload.write(part)?;
    }
    upload.finish()
}

pub fn run(
    upload: &mut Upload,
    file: &TestFile,
    source: Source,
) -> Result<Arc<Response>, apivideo::Error> {
    upload.start()?;
    feed(upload, file, source)?;
    match upload.wait(LONG) {
        Some(end) => end,
        None => panic!("the upload does not end"),
    }
}
