//! Clients that mean harm. Each attack is held to a named bound, and an honest client is served
//! meanwhile.

use std::time::Duration;

use prometheus_client::{encoding::text::encode, registry::Registry};
use tabella_http_server::{Bounds, HEAD_BYTES_MAX};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

use crate::client::{Running, read_to_end};

const SHORT_MS: u64 = 200;

fn bounds() -> Bounds {
    Bounds::default()
}

#[tokio::test]
async fn idle_connections_make_room_for_an_honest_client() {
    let bounds = Bounds {
        connections_max: 32,
        ..bounds()
    };
    let server = Running::start(bounds);
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(server.connect().await);
    }
    let counts = server.until(|counts| counts.accepted == 200).await;
    assert!(counts.connections_most <= 32, "{counts:?}");
    for _ in 0..20 {
        assert!(server.honest().await.ends_with("here\n"));
    }
    assert!(server.server.counts().evicted >= 168);
}

#[tokio::test]
async fn half_sent_heads_and_stalled_bodies_make_room_too() {
    let bounds = Bounds {
        connections_max: 16,
        ..bounds()
    };
    let server = Running::start(bounds);
    let mut stalled = Vec::new();
    for n in 0..16 {
        stalled.push(match n % 2 {
            0 => server.sent(b"GET / HTTP/1.1\r\nhos").await,
            _ => {
                server
                    .sent(b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx")
                    .await
            }
        });
    }
    server.until(|counts| counts.connections == 16).await;
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut served = 0;
    while served < 20 {
        // Stalled bodies count as waiting after two seconds only.
        if server.honest().await.ends_with("here\n") {
            served += 1;
        }
        assert!(Instant::now() < deadline, "served {served}");
    }
    assert!(server.server.counts().connections_most <= 16);
}

/// A byte now and then is no pace, however short the pauses.
#[tokio::test]
async fn bodies_that_drip_make_room_too() {
    let bounds = Bounds {
        connections_max: 16,
        ..bounds()
    };
    let server = Running::start(bounds);
    let head = b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    let mut dripping = Vec::new();
    for _ in 0..16 {
        let mut stream = server.sent(head).await;
        dripping.push(tokio::spawn(async move {
            while stream.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(500)).await;
            }
        }));
    }
    server.until(|counts| counts.connections == 16).await;
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut served = 0;
    while served < 20 {
        if server.honest().await.ends_with("here\n") {
            served += 1;
        }
        assert!(Instant::now() < deadline, "served {served}");
    }
    dripping.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let server = Running::start(Bounds {
        head_timeout_ms: SHORT_MS,
        ..bounds()
    });
    let mut slow = server.connect().await;
    let started = Instant::now();
    // A byte in time again and again is no head in time.
    while slow.write_all(b"G").await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "still heard");
        sleep(Duration::from_millis(20)).await;
    }
    server
        .until(|counts| counts.slow_head == 1 && counts.connections == 0)
        .await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Running::start(Bounds {
        idle_timeout_ms: SHORT_MS,
        ..bounds()
    });
    let mut fresh = server.connect().await;
    let mut used = server.sent(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(read_to_end(&mut used).await.ends_with("here\n"));
    assert_eq!(read_to_end(&mut fresh).await, "");
    let counts = server.until(|counts| counts.connections == 0).await;
    assert_eq!(counts.idle, 2);
}

#[tokio::test]
async fn a_head_beyond_its_bound_is_refused() {
    let server = Running::start(bounds());
    let long = "x".repeat(HEAD_BYTES_MAX + 1);
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n");
    let mut stream = server.sent(request.as_bytes()).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    let many = "x: y\r\n".repeat(200);
    let request = format!("GET / HTTP/1.1\r\n{many}\r\n");
    let mut stream = server.sent(request.as_bytes()).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_and_one_that_keeps_the_pace_is_not() {
    let server = Running::start(Bounds {
        body_timeout_ms: SHORT_MS,
        bytes_per_second_min: 1_000,
        ..bounds()
    });
    let head = b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    let mut slow = server.sent(head).await;
    let (mut answers, mut sends) = slow.split();
    let dripping = async {
        let started = Instant::now();
        while sends.write_all(b"x").await.is_ok() {
            assert!(started.elapsed() < Duration::from_secs(10), "still heard");
            sleep(Duration::from_millis(20)).await;
        }
    };
    let answered = async {
        let mut text = vec![0; 64];
        let read = answers.read(&mut text).await.unwrap();
        String::from_utf8_lossy(&text[..read]).into_owned()
    };
    let ((), answer) = tokio::join!(dripping, answered);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    let mut steady = server.sent(b"POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4000\r\n\r\n").await;
    for _ in 0..20 {
        sleep(Duration::from_millis(50)).await;
        steady.write_all(&[b'x'; 200]).await.unwrap();
    }
    let answer = read_to_end(&mut steady).await;
    assert!(answer.ends_with("4000"), "{answer:?}");
    assert_eq!(server.server.counts().slow_body, 1);
}

#[tokio::test]
async fn bodies_held_back_in_the_middle_stay_within_their_bound() {
    const BOUND: u64 = 8 << 20;
    let server = Running::start(Bounds {
        body_bytes_in_all_max: BOUND,
        ..bounds()
    });
    let head = b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut stream = server.sent(head).await;
        stream.write_all(&vec![b'x'; 999_999]).await.unwrap();
        held.push(stream);
    }
    let counts = server.until(|counts| counts.over_bytes > 0).await;
    // A last piece may come on top before the bound is looked at.
    assert!(counts.body_bytes_most < BOUND + (1 << 20), "{counts:?}");
    let whole = [
        b"POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 500000\r\n\r\n"
            .as_slice(),
        &[b'x'; 500_000],
    ]
    .concat();
    let mut honest = server.sent(&whole).await;
    let answer = read_to_end(&mut honest).await;
    assert!(answer.ends_with("500000"), "{answer:?}");
    drop(held);
    server.until(|counts| counts.body_bytes == 0).await;
}

/// Ballots for options of names of different lengths, as long as they are on their way.
#[tokio::test]
async fn metrics_do_not_tell_the_length_of_a_body_that_is_held() {
    let held = async |ballot: &str| {
        let server = Running::start(bounds());
        // One byte more is to come: the handler waits for it.
        let request = format!(
            "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{ballot}",
            ballot.len() + 1
        );
        let _stream = server.sent(request.as_bytes()).await;
        let length = ballot.len() as u64;
        server.until(|counts| counts.body_bytes == length).await;
        let mut registry = Registry::with_prefix("m");
        server.server.register(&mut registry);
        let mut metrics = String::new();
        encode(&mut metrics, &registry).unwrap();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("m_http_body_bytes"));
        line.unwrap().to_owned()
    };
    let line = held(r#"{"choice":"yes"}"#).await;
    assert_eq!(line, "m_http_body_bytes 16384");
    assert_eq!(held(r#"{"choice":"no"}"#).await, line);
}

#[tokio::test]
async fn whoever_does_not_read_is_cut_off_and_frees_what_was_held() {
    let server = Running::start(Bounds {
        write_timeout_ms: SHORT_MS,
        ..bounds()
    });
    let mut unread = Vec::new();
    for path in ["/large", "/endless", "/large", "/endless"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        unread.push(server.sent(request.as_bytes()).await);
    }
    let counts = server
        .until(|counts| counts.unread == 4 && counts.connections == 0)
        .await;
    assert_eq!(counts.answer_bytes, 0);
    assert!(server.honest().await.ends_with("here\n"));
}

#[tokio::test]
async fn a_reader_that_drips_is_cut_off() {
    let server = Running::start(Bounds {
        write_timeout_ms: SHORT_MS,
        bytes_per_second_min: 64 << 20,
        ..bounds()
    });
    let mut slow = server
        .sent(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let mut piece = vec![0; 64 << 10];
    let started = Instant::now();
    while matches!(slow.read(&mut piece).await, Ok(1..)) {
        assert!(started.elapsed() < Duration::from_secs(15), "still served");
        sleep(Duration::from_millis(20)).await;
    }
    server
        .until(|counts| counts.unread == 1 && counts.connections == 0)
        .await;
}

#[tokio::test]
async fn unread_answers_stay_within_their_bound() {
    const BOUND: u64 = 48 << 20;
    let server = Running::start(Bounds {
        answer_bytes_in_all_max: BOUND,
        ..bounds()
    });
    let mut unread = Vec::new();
    for n in 1..=12 {
        let request = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n";
        unread.push(server.sent(request).await);
        // One after the other, so that those before are known not to read.
        server
            .until(|counts| counts.accepted == n && counts.answer_bytes > 0)
            .await;
        sleep(Duration::from_millis(50)).await;
    }
    let counts = server.until(|counts| counts.answer_bytes <= BOUND).await;
    assert!(counts.over_bytes > 0, "{counts:?}");
    assert!(server.honest().await.ends_with("here\n"));
}

#[tokio::test]
async fn a_body_that_is_passed_on_counts_for_nothing_held() {
    const BOUND: u64 = 1 << 20;
    let server = Running::start(Bounds {
        body_bytes_in_all_max: BOUND,
        ..bounds()
    });
    let length = 8 << 20;
    let head = format!(
        "POST /passed-on HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut stream = server.sent(head.as_bytes()).await;
    stream.write_all(&vec![b'x'; length]).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.ends_with(&length.to_string()), "{answer:?}");
    assert!(server.server.counts().body_bytes_most <= BOUND);
}
