//! Uploads as they go, told one by one.

use super::simulator::{C, Fault, MIB, MINUTE, SECOND, Simulator, by_token, file, stream};
use crate::error::Status;
use crate::upload::chunks::Chunk;
use crate::upload::state::Settings;

/// The first sendings are struck like this.
fn strike(sim: &mut Simulator, faults: &[Option<Fault>]) {
    let mut left: Vec<_> = faults.iter().rev().copied().collect();
    sim.chunk_faults = Box::new(move || left.pop().flatten());
}

fn parallel(settings: Settings, parallel: usize) -> Settings {
    Settings {
        parallel,
        ..settings
    }
}

#[test]
fn a_file_is_sent_once_and_nothing_is_asked() {
    let mut sim = Simulator::new(file(3 * C + 1), 3 * C + 1);
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    assert_eq!(sim.server.uploads.len(), 4, "no hot loop");
    assert_eq!((sim.server.statuses, sim.server.gets), (0, 0));
}

#[test]
fn a_lost_reply_is_looked_for_and_not_sent_again() {
    let mut sim = Simulator::new(file(3 * C), 3 * C);
    strike(&mut sim, &[None, Some(Fault::LostReply)]);
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    assert_eq!(sim.server.uploads.len(), 3);
    assert_eq!((sim.server.statuses, sim.server.gets), (1, 0));
}

#[test]
fn a_lost_last_reply_gives_the_video_all_the_same() {
    let mut sim = Simulator::new(file(2 * C), 2 * C);
    strike(&mut sim, &[None, Some(Fault::LostReply)]);
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    assert_eq!(sim.server.uploads.len(), 2);
    assert_eq!((sim.server.statuses, sim.server.gets), (1, 1));
}

#[test]
fn a_chunk_that_the_status_does_not_list_yet_is_taken_for_received_when_it_is_refused() {
    for length in [2 * C, 3 * C] {
        let mut sim = Simulator::new(file(length), length);
        sim.server.status_lag = MINUTE;
        strike(&mut sim, &[None, Some(Fault::LostReply)]);
        let completed = sim.run().unwrap();
        sim.check_whole(&completed);
        assert_eq!(sim.sends()[&Chunk::new(C, 2 * C)], 2);
        assert_eq!(sim.server.statuses, 1);
    }
}

#[test]
fn what_somebody_else_sent_is_no_success() {
    let mut sim = Simulator::new(file(2 * C), 2 * C);
    sim.run().unwrap();
    let mut again = Simulator::new(file(2 * C), 2 * C);
    std::mem::swap(&mut again.server.videos, &mut sim.server.videos);
    assert_eq!(again.run().unwrap_err().status, Status::RequestRejected);
    assert_eq!(again.server.uploads.len(), 1);
}

#[test]
fn a_token_that_lives_for_two_chunks_is_enough() {
    for lanes in [1, 4] {
        let mut sim = Simulator::new(parallel(file(40 * C), lanes), 40 * C);
        sim.server.token_lives = Some(2);
        let completed = sim.run().unwrap();
        sim.check_whole(&completed);
        assert!(sim.server.renewals <= 20 + lanes, "{}", sim.server.renewals);
    }
}

#[test]
fn an_api_that_takes_no_token_at_all_is_left_alone() {
    let mut sim = Simulator::new(file(2 * C), 2 * C);
    sim.server.token_lives = Some(0);
    assert_eq!(sim.run().unwrap_err().status, Status::TokenRejected);
    assert_eq!(sim.server.uploads.len(), 4, "no hot loop");
}

#[test]
fn without_another_access_token_the_old_one_is_not_sent_again_and_again() {
    let mut sim = Simulator::new(file(4 * C), 4 * C);
    sim.server.token_lives = Some(2);
    sim.gives_tokens = false;
    sim.run_for(MINUTE);
    assert!(
        sim.server.uploads.len() < 15,
        "{}",
        sim.server.uploads.len()
    );
    sim.gives_tokens = true;
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
}

#[test]
fn a_limit_is_kept_and_never_met() {
    for (settings, chunks) in [
        (file(0), 100),
        (parallel(file(0), 8), 100),
        (parallel(by_token(file(0)), 4), 90),
        (stream(2), 85),
    ] {
        let length = chunks * C;
        let size = settings.size.map(|_| length);
        let mut sim = Simulator::new(Settings { size, ..settings }, length);
        sim.server.limit = Some(40);
        let start = sim.now;
        let completed = sim.run().unwrap();
        sim.check_whole(&completed);
        assert_eq!(sim.server.limited, 0);
        let minutes = (sim.now - start) / MINUTE;
        assert_eq!(minutes, 2, "no longer than it has to");
    }
}

#[test]
fn a_limit_that_others_use_up_is_waited_out() {
    let mut sim = Simulator::new(file(30 * C), 30 * C);
    sim.server.limit = Some(40);
    for _ in 0..40 {
        sim.server.used_by_another(sim.now);
    }
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    assert_eq!(sim.server.limited, 1);
}

#[test]
fn an_outage_of_three_minutes_is_ridden_out_and_one_without_end_ends_the_upload() {
    let mut sim = Simulator::new(file(2 * C), 2 * C);
    let mut left = 14;
    sim.chunk_faults = Box::new(move || {
        left -= 1;
        (left > 0).then_some(Fault::Reset)
    });
    sim.run().unwrap();
    assert!(sim.now - 1_000_000 > 2 * MINUTE);
    let mut sim = Simulator::new(file(2 * C), 2 * C);
    sim.chunk_faults = Box::new(|| Some(Fault::Reset));
    assert_eq!(sim.run().unwrap_err().status, Status::NetworkError);
    assert_eq!(sim.server.uploads.len(), 20);
}

#[test]
fn each_chunk_has_its_own_budget() {
    let mut sim = Simulator::new(file(10 * C), 10 * C);
    let mut count = 0;
    sim.chunk_faults = Box::new(move || {
        count += 1;
        (count % 10 != 0).then_some(Fault::Reset)
    });
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    assert_eq!(sim.server.uploads.len(), 100);
}

#[test]
fn another_process_sends_only_what_is_missing() {
    for settings in [file(9 * C + 3), stream(2), parallel(file(9 * C + 3), 3)] {
        let length = 9 * C + 3;
        let mut sim = Simulator::new(settings.clone(), length);
        sim.run_for(75);
        let missing = sim.missing();
        let before = sim.server.uploads.len();
        assert!(missing > 0 && missing < length);
        sim.crash(settings);
        let completed = sim.run().unwrap();
        sim.check_whole(&completed);
        let sent: u64 = sim.server.uploads[before..]
            .iter()
            .map(|(_, chunk)| chunk.len())
            .sum();
        assert_eq!(sent, missing);
        assert_eq!(sim.server.statuses, 1);
    }
}

#[test]
fn another_process_may_cut_the_file_otherwise() {
    let length = 64 * MIB + 1;
    let mut sim = Simulator::new(file(length), length);
    sim.run_for(220);
    sim.crash(Settings {
        chunk_size: 7 * MIB,
        ..file(length)
    });
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
}

#[test]
fn an_upload_that_was_complete_is_only_asked_for() {
    for settings in [file(3 * C), stream(1)] {
        let mut sim = Simulator::new(settings.clone(), 3 * C);
        sim.run().unwrap();
        sim.crash(settings);
        let before = sim.server.uploads.len();
        let completed = sim.run().unwrap();
        sim.check_whole(&completed);
        assert_eq!(sim.server.uploads.len(), before);
    }
}

#[test]
fn another_file_is_not_mixed_with_what_is_there() {
    let mut sim = Simulator::new(file(9 * C), 9 * C);
    sim.run_for(175);
    sim.crash(file(9 * C + 1));
    let before = sim.server.uploads.len();
    assert_eq!(sim.run().unwrap_err().status, Status::FileError);
    assert_eq!(sim.server.uploads.len(), before);
    let mut sim = Simulator::new(file(2 * C), 2 * C);
    sim.run().unwrap();
    sim.crash(file(3 * C));
    assert_eq!(sim.run().unwrap_err().status, Status::FileError, "complete");
}

#[test]
fn a_stream_that_was_begun_with_its_size_goes_on_with_it() {
    let mut sim = Simulator::new(file(9 * C), 9 * C);
    sim.run_for(175);
    let before = sim.server.uploads.len();
    sim.crash(stream(1));
    let error = sim.run().unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument);
    assert!(error.message.contains("`size`"), "{error}");
    assert_eq!(sim.server.uploads.len(), before);
    sim.crash(file(9 * C));
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
}

#[test]
fn parts_of_another_size_are_not_mixed_with_what_is_there() {
    let mut sim = Simulator::new(stream(1), 9 * C);
    sim.run_for(175);
    let video = sim.server.videos.get_mut(&1).unwrap();
    video.end_in_parts(9);
    sim.crash(Settings {
        chunk_size: 2 * C,
        ..file(9 * C)
    });
    assert_eq!(sim.run().unwrap_err().status, Status::InvalidArgument);
    sim.crash(file(9 * C));
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
}

#[test]
fn what_lies_beyond_the_end_is_of_another_source() {
    let mut sim = Simulator::new(file(9 * C), 9 * C);
    sim.run_for(175);
    // A file of fewer bytes than have arrived, and a server that tells no total.
    sim.server.videos.get_mut(&1).unwrap().total = None;
    sim.crash(file(C + 1));
    assert_eq!(sim.run().unwrap_err().status, Status::FileError);
    let mut sim = Simulator::new(stream(1), 9 * C);
    sim.run_for(175);
    sim.crash(file(C));
    assert_eq!(sim.run().unwrap_err().status, Status::InvalidArgument);
}

#[test]
fn what_an_earlier_process_sent_and_the_status_does_not_list_yet_is_waited_for() {
    let mut sim = Simulator::new(file(4 * C), 4 * C);
    sim.run_for(120);
    sim.server.status_lag = 20 * SECOND;
    sim.crash(file(4 * C));
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    assert!(sim.sends().values().all(|sent| *sent <= 2));
}

#[test]
fn a_part_that_an_earlier_process_sent_is_not_taken_for_the_whole_chunk() {
    let larger = Settings {
        chunk_size: 3 * C,
        ..file(4 * C)
    };
    let mut sim = Simulator::new(file(4 * C), 4 * C);
    sim.run_for(70);
    sim.server.status_lag = 20 * SECOND;
    sim.crash(larger.clone());
    strike(&mut sim, &[Some(Fault::LostReply)]);
    assert_eq!(sim.run().unwrap_err().status, Status::RequestRejected);
    // It is listed by now.
    sim.crash(larger);
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
}

#[test]
fn by_token_the_first_chunk_is_small_and_alone_and_names_the_video() {
    let length = 100 * MIB;
    let settings = by_token(Settings {
        chunk_size: 20 * MIB,
        parallel: 4,
        ..file(length)
    });
    let mut sim = Simulator::new(settings, length);
    let completed = sim.run().unwrap();
    sim.check_whole(&completed);
    let sizes: Vec<u64> = sim.server.uploads.iter().map(|(_, c)| c.len()).collect();
    assert_eq!(sizes, [C, 20 * MIB, 20 * MIB, 20 * MIB, 20 * MIB, 15 * MIB]);
    assert_eq!(sim.server.videos.len(), 1);
}

#[test]
fn a_small_file_goes_whole() {
    for settings in [file(7), by_token(file(7)), stream(1)] {
        let mut sim = Simulator::new(settings, 7);
        let completed = sim.run().unwrap();
        sim.check_whole(&completed);
        assert_eq!(sim.server.videos[&1].is_in_bytes, None, "no Content-Range");
    }
}

#[test]
fn a_stream_s_last_chunk_tells_how_many_there_were() {
    for (length, chunks) in [(3 * C, 3), (3 * C + 1, 4), (3 * C - 1, 3)] {
        let mut sim = Simulator::new(stream(2), length);
        let completed = sim.run().unwrap();
        sim.check_whole(&completed);
        assert_eq!(sim.server.uploads.len(), chunks);
        assert_eq!(sim.server.videos[&1].is_in_bytes, Some(false));
    }
}

#[test]
fn a_video_that_cannot_be_asked_for_is_complete_all_the_same() {
    let mut sim = Simulator::new(file(2 * C), 2 * C);
    strike(&mut sim, &[None, Some(Fault::LostReply)]);
    let mut asked = 0;
    sim.question_faults = Box::new(move || {
        asked += 1;
        (asked > 1).then_some(Fault::Broken)
    });
    let completed = sim.run().unwrap();
    assert_eq!(completed.reply, None);
    assert_eq!(completed.video_id.as_deref(), Some("1"));
}

#[test]
fn what_was_cancelled_does_nothing_more() {
    let mut sim = Simulator::new(file(9 * C), 9 * C);
    sim.run_for(75);
    sim.state
        .fail(crate::error::Error::new(Status::Cancelled, "cancelled"));
    assert_eq!(sim.run().unwrap_err().status, Status::Cancelled);
    assert_eq!(sim.server.uploads.len(), 2);
}
