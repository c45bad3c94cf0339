//! The HTTP API of the real binary: what a program sees that has only its description.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use common::archives::{SUM_OF_42, put_task};
use common::desk::{Desk, err, out};
use common::http::{ask, get, open};
use common::{PATIENCE, wait_until};
use serde_json::Value;

impl Desk {
    /// The bytes of a task that prints 42.
    fn task(&self) -> Vec<u8> {
        put_task(&self.path("made"), "sum.zip", &SUM_OF_42);
        fs::read(self.path("made/sum.zip")).unwrap()
    }
}

fn state_of(master: SocketAddr, task: &str) -> String {
    let task = get(master, &format!("/api/v1/tasks/{task}")).json();
    task["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_task_is_handed_in_followed_and_fetched_over_http() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    let mut events = BufReader::new(open(master, "GET", "/api/v1/events", &[], b"")).lines();
    assert!(events.any(|line| line.unwrap() == ": what happens"));

    let accepted = ask(
        master,
        "POST",
        "/api/v1/tasks?name=sum&group=http",
        &[],
        &desk.task(),
    );
    assert_eq!(accepted.status, 201, "{}", accepted.text());
    assert_eq!(accepted.json()["task_name"], "sum.zip");
    assert!(events.any(|line| line.unwrap() == "event: TaskEnded"));
    let id = accepted.json()["task_id"].as_str().unwrap().to_owned();
    wait_until("done", PATIENCE, || state_of(master, &id) == "done");

    assert_eq!(get(master, "/api/v1/tasks/last/stdout").text(), "42\n");
    assert_eq!(get(master, "/api/v1/tasks/sum/stderr").text(), "");
    let result = get(master, &format!("/api/v1/tasks/{id}/result"));
    assert_eq!(result.header("content-type"), "application/zip");
    let named = desk.path("results/sum.zip");
    wait_until("the result has its name", PATIENCE, || named.exists());
    assert_eq!(result.body, fs::read(named).unwrap());
    let page = get(master, "/api/v1/tasks?state=done&limit=1").json();
    assert_eq!(page["tasks"][0]["task_id"], id.as_str());
    let next = page["next"].as_str().unwrap();
    let page = get(master, &format!("/api/v1/tasks?before={next}")).json();
    assert_eq!(page["tasks"].as_array().unwrap().len(), 0);
    let masters = get(master, "/api/v1/masters").json();
    let own = format!(":{}", master.port());
    let is_own = |at: &Value| at.as_str().unwrap().ends_with(&own);
    let addresses = masters[0]["addresses"].as_array().unwrap();
    assert!(addresses.iter().any(is_own), "{masters}");
    let metrics = get(master, "/metrics").text();
    assert!(
        metrics.contains("\nmutirao_tasks_done_total 1\n"),
        "{metrics}"
    );
}

#[test]
fn head_is_answered_as_get_without_its_body() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    for (path, status) in [
        ("/healthz", 200),
        ("/metrics", 200),
        ("/api/openapi.json", 200),
        ("/api/v1/masters", 200),
        ("/api/v1/tasks", 200),
        ("/api/v1/log", 200),
        ("/api/v1/tasks/nobody", 404),
        ("/api/v2", 404),
        ("/api/v1/tasks/nobody/cancel", 405),
    ] {
        let head = ask(master, "HEAD", path, &[], b"");
        assert_eq!(head.status, status, "{path}");
        assert!(head.body.is_empty(), "{path}: {}", head.text());
        let shown = get(master, path);
        let same = ["content-type", "transfer-encoding"];
        assert!(
            same.iter()
                .all(|name| head.header(name) == shown.header(name))
        );
    }
    let length = ask(master, "HEAD", "/healthz", &[], b"");
    assert_eq!(length.header("content-length"), "3");
    // What never ends has no body to be waited for.
    let events = ask(master, "HEAD", "/api/v1/events", &[], b"");
    assert_eq!(events.header("content-type"), "text/event-stream");
}

#[test]
fn what_http_cannot_do_is_a_problem_in_words_and_json_is_spoken_on_the_same_port() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    assert_eq!(get(master, "/healthz").text(), "ok\n");
    assert_eq!(get(master, "/readyz").text(), "ready\n");
    let cases = [
        ("GET", "/api/v2/tasks", &b""[..], 404, "not known here"),
        (
            "DELETE",
            "/api/v1/tasks",
            b"",
            405,
            "asked by GET, HEAD, POST",
        ),
        ("GET", "/api/v1/tasks/nobody", b"", 404, "no task"),
        ("GET", "/api/v1/peers/nobody", b"", 404, "no peer"),
        ("GET", "/api/v1/tasks?state=odd", b"", 400, "odd"),
        ("GET", "/api/v1/tasks?what", b"", 400, "what"),
        ("GET", "/api/v1/tasks/%00%ff", b"", 404, "no task"),
        ("POST", "/api/v1/status", b"", 405, "asked by GET, HEAD"),
        ("GET", "/api/v1/tasks/x/cancel", b"", 405, "asked by POST"),
        ("PATCH", "/api/v1/tasks/x", b"", 405, "asked by GET, HEAD"),
        ("GET", "/api/v1/tasks?limit=101", b"", 400, "1 to 100"),
        ("POST", "/api/v1/tasks?name=x", b"no zip", 409, "ZIP"),
        ("POST", "/api/v1/tasks/nobody/cancel", b"", 404, "no task"),
    ];
    for (method, path, body, status, words) in cases {
        let problem = ask(master, method, path, &[], body);
        assert_eq!(
            problem.status,
            status,
            "{method} {path}: {}",
            problem.text()
        );
        assert_eq!(problem.header("content-type"), "application/problem+json");
        let detail = problem.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{method} {path}: {detail}");
    }
    let forged = ask(
        master,
        "GET",
        "/api/v1/status",
        &[("host", "evil.example")],
        b"",
    );
    assert_eq!(forged.status, 421);
    assert_eq!(forged.header("content-type"), "application/problem+json");
    let page = ask(
        master,
        "POST",
        "/api/v1/tasks/x/cancel",
        &[("origin", "http://evil.example")],
        b"",
    );
    assert_eq!(page.status, 403);
    assert_eq!(page.header("content-type"), "application/problem+json");
    let status = desk.json(&["status", "--json", "--master", &master.to_string()]);
    assert_eq!(status["name"], "lab");
}

/// The lines of a page.
fn log(master: SocketAddr, query: &str) -> Vec<Value> {
    let page = get(master, &format!("/api/v1/log?{query}"));
    assert_eq!(page.status, 200, "{query}: {}", page.text());
    assert_eq!(page.header("content-type"), "application/x-ndjson");
    assert_ne!(page.header("mutirao-epoch"), "");
    let text = page.text();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    let kinds = lines.iter().map(|line| line["kind"].as_str().unwrap());
    kinds.collect()
}

#[test]
fn what_the_actors_say_is_read_page_by_page_and_told_elsewhere_as_at_home() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    let zip = desk.task();
    let accepted = ask(master, "POST", "/api/v1/tasks?name=sum", &[], &zip);
    let id = accepted.json()["task_id"].as_str().unwrap().to_owned();
    let ended = format!("task={id}&kind=TaskEnded");
    wait_until("it has ended", PATIENCE, || {
        kinds(&log(master, &ended)).contains(&"TaskEnded")
    });

    // Every page goes on behind the one before, and together they are the whole.
    let seq = |line: &Value| line["seq"].as_u64();
    let until = log(master, "limit=8192").last().and_then(seq);
    let mut paged = Vec::new();
    // What is sent meanwhile may stand on the last page too.
    while paged.last().and_then(seq) < until {
        let after = paged
            .last()
            .map_or(Value::from(0), |line| line["seq"].clone());
        let page = log(master, &format!("after={after}&limit=7"));
        assert!(page.len() <= 8, "seven letters, and what opens the log");
        paged.extend(page);
    }
    assert_eq!(paged[0]["kind"], "RunStarted");
    let whole = log(master, "limit=8192");
    assert_eq!(paged[..], whole[..paged.len()]);
    let text: String = whole.iter().map(Value::to_string).collect();
    assert!(text.contains(" bytes sha256:"), "a payload is told of");
    assert!(!text.contains("UEsDB"), "and is not there");

    // A look at the task is no news of it, however often it is looked at.
    let story = log(master, "task=sum");
    let again = log(master, &format!("task={id}"));
    assert_eq!(again[..story.len()], story);
    assert!(kinds(&story).contains(&"KeepResult"), "{story:?}");
    assert!(!kinds(&again).contains(&"TaskDescribed"), "{again:?}");
    let sent = log(master, "actor=web&kind=AdoptTask");
    assert_eq!(kinds(&sent), ["RunStarted", "AdoptTask"]);
    let peer = get(master, "/api/v1/peers").json()[0]["peer_id"].clone();
    let peer = format!("peer={}&kind=TaskRequested", peer.as_str().unwrap());
    assert!(kinds(&log(master, &peer)).contains(&"TaskRequested"));
    assert_eq!(kinds(&log(master, "peer=nobody")), ["RunStarted"]);
    for (query, status, words) in [
        ("limit=8193", 400, "1 to 8192"),
        ("after=9007199254740992", 400, "after is"),
        ("after=9007199254740991", 409, "numbers start anew"),
        ("task=nobody", 404, "no task"),
        ("since=10m", 400, "since"),
    ] {
        let problem = get(master, &format!("/api/v1/log?{query}"));
        assert_eq!(problem.status, status, "{query}: {}", problem.text());
        assert!(problem.text().contains(words), "{}", problem.text());
    }

    // No log lies there: the master is found and asked for its own.
    let elsewhere = desk.elsewhere();
    let told = |words: &[&str]| {
        let output = elsewhere.output(&[&["trace"], words].concat());
        assert!(output.status.success(), "{}", err(&output));
        out(&output)
    };
    let lines = told(&["--json", "--task", &id]);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let about = |line: &&Value| line["seq"].is_u64();
    assert!(
        story
            .iter()
            .filter(about)
            .all(|letter| lines.contains(letter))
    );
    let drawn = told(&["--task", "sum", "--ascii", "--master", &master.to_string()]);
    assert!(drawn.contains("--KeepResult--"), "{drawn}");
    let follow = elsewhere.start(&["trace", "--follow", "--kind", "TaskEnded"]);
    follow.wait_line(|line| line.contains("sum.zip"), PATIENCE);
    ask(master, "POST", "/api/v1/tasks?name=next", &[], &zip);
    follow.wait_line(|line| line.contains("next.zip"), PATIENCE);

    // A log that lies here goes first, until a master is named.
    fs::create_dir(elsewhere.path(".mutirao")).unwrap();
    fs::write(elsewhere.path(".mutirao/messages.jsonl"), "").unwrap();
    assert_eq!(elsewhere.output(&["trace"]).status.code(), Some(1));
    told(&["--master", &master.to_string()]);
    let both = ["trace", "--file", "x", "--master", &master.to_string()];
    assert_eq!(elsewhere.output(&both).status.code(), Some(2));
}

#[test]
fn many_tasks_are_cancelled_and_tried_again_with_one_request() {
    let desk = Desk::new();
    // Nobody runs them.
    let (_master, master) = desk.served(&["master", "--name", "lab"]);
    let post = |path: &str, body: &[u8]| {
        let answer = ask(master, "POST", &format!("/api/v1/tasks{path}"), &[], body);
        (answer.status, answer.json())
    };
    let submit = |name: &str| {
        let (_, accepted) = post(&format!("?name={name}"), &desk.task());
        accepted["task_id"].as_str().unwrap().to_owned()
    };
    let ids = ["a", "b", "c"].map(submit);
    let unknown = "00000000-0000-0000-0000-000000000000";
    let (one, two) = (&ids[0], &ids[1]);
    let (status, swept) = post(
        &format!("/cancel?tasks={one},{two},{unknown}&reason=no"),
        b"",
    );
    assert_eq!(
        (status, &swept["tasks"], &swept["left"]),
        (200, &2.into(), &1.into())
    );
    assert!(
        swept["reason"].as_str().unwrap().contains("not known"),
        "{swept}"
    );
    assert_eq!(state_of(master, "c"), "queued");
    let told = get(master, &format!("/api/v1/tasks/{one}")).json();
    assert_eq!(
        (&told["state"], &told["reason"]),
        (&"cancelled".into(), &"no".into())
    );

    let (status, swept) = post(&format!("/retry?tasks={one}"), b"");
    assert_eq!(
        (status, &swept["tasks"], &swept["left"]),
        (200, &1.into(), &0.into())
    );
    let (_, swept) = post("/retry?state=cancelled", b"");
    assert_eq!((&swept["tasks"], swept.get("next")), (&1.into(), None));
    let (_, swept) = post("/cancel?all=true", b"");
    assert_eq!(swept["tasks"], 3);
    assert_eq!(
        ["a", "b", "c"].map(|task| state_of(master, task)),
        ["cancelled"; 3]
    );

    let too_many = vec![unknown; 1001].join(",");
    for (path, wanted) in [
        ("/cancel".to_owned(), 409),
        ("/retry?from=7".to_owned(), 409),
        (format!("/cancel?tasks={one}&state=queued"), 409),
        ("/cancel?tasks=last".to_owned(), 400),
        ("/retry?tasks=".to_owned(), 400),
        ("/retry?reason=no".to_owned(), 400),
        (format!("/cancel?tasks={too_many}"), 400),
    ] {
        let (status, problem) = post(&path, b"");
        assert_eq!(status, wanted, "{problem}");
    }
    // What can be in no such state is no task that none is of.
    for (path, states, words) in [
        (
            "cancel",
            ["done", "failed", "cancelled"],
            "`queued` or `leased`",
        ),
        (
            "retry",
            ["done", "queued", "leased"],
            "`failed` or `cancelled`",
        ),
    ] {
        for state in states {
            let (status, problem) = post(&format!("/{path}?state={state}"), b"");
            let told = problem["detail"].as_str().unwrap_or_default();
            assert!(status == 400 && told.contains(words), "{problem}");
        }
    }
}

#[test]
fn a_place_that_no_reader_can_have_reached_counts_as_none() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    ask(master, "POST", "/api/v1/tasks?name=sum", &[], &desk.task());
    wait_until("done", PATIENCE, || state_of(master, "sum") == "done");
    let told = |id: &str| {
        let path = "/api/v1/tasks/sum/output";
        let events = ask(master, "GET", path, &[("last-event-id", id)], b"");
        assert_eq!(events.status, 200, "{id}: {}", events.text());
        let text = events.text();
        let data = text.lines().filter(|line| line.starts_with("data: "));
        data.map(str::to_owned).collect::<Vec<_>>()
    };
    // It prints "42" and a line end.
    let printed = "NDIK";
    let to_all = told("");
    assert!(to_all.iter().any(|data| data.contains(printed)));
    for id in ["1", "1.9007199254740992.0", "0.1.0", "2.0.0", "1.4.0"] {
        assert_eq!(told(id), to_all, "{id}");
    }
    let read = told("1.3.0");
    assert!(!read.iter().any(|data| data.contains(printed)), "{read:?}");
    // Numbers of letters start anew with each run of a master.
    let news = [("last-event-id", "9007199254740991")];
    let events = open(master, "GET", "/api/v1/events", &news, b"");
    let mut lines = BufReader::new(events).lines();
    assert!(lines.any(|line| line.unwrap() == ": what happens"));
    ask(master, "POST", "/api/v1/tasks?name=next", &[], &desk.task());
    assert!(lines.any(|line| line.unwrap() == "event: TaskArrived"));
}

/// What has come on a connection, all of which stays unread.
fn seen(stream: &TcpStream) -> String {
    let mut seen = [0; 4096];
    let length = stream.peek(&mut seen).unwrap();
    String::from_utf8_lossy(&seen[..length]).into_owned()
}

#[test]
fn readers_that_hang_up_make_room_for_others() {
    let desk = Desk::new();
    let (_master, master) = desk.served(&["master", "--name", "lab"]);
    let accepted = ask(master, "POST", "/api/v1/tasks?name=sum", &[], &desk.task());
    assert_eq!(accepted.status, 201);
    let follow = || {
        let path = "/api/v1/tasks/sum/output?follow=true";
        open(master, "GET", path, &[], b"")
    };
    // More than may wait at a time. Each waits once the first event has come, and what it leaves unread tells that it is gone.
    for _ in 0..600 {
        let reader = follow();
        wait_until("it is told, or there is no place yet", PATIENCE, || {
            let seen = seen(&reader);
            seen.contains("event: waits") || seen.starts_with("HTTP/1.1 503")
        });
    }
    let mut told = String::new();
    wait_until("another is told", PATIENCE, || {
        let reader = follow();
        wait_until("something", PATIENCE, || {
            told = seen(&reader);
            told.contains("event: ") || told.starts_with("HTTP/1.1 503")
        });
        told.contains("event: ")
    });
    assert!(told.contains("event: waits"), "{told}");
}

#[test]
fn one_connection_too_many_is_told_so_and_what_to_do() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    let mut held: Vec<_> = (0..64)
        .map(|_| open(master, "GET", "/api/v1/events", &[], b""))
        .collect();
    for stream in &held {
        let said = seen(stream);
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
    let refused = get(master, "/api/v1/status");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("end some"), "{detail}");
    held.clear();
    wait_until("there is room", PATIENCE, || {
        get(master, "/api/v1/status").status == 200
    });
}

#[test]
fn the_api_does_what_its_description_says_whatever_it_is_asked() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/schemathesis/bin/st");
    if !tools.exists() {
        assert!(
            std::env::var_os("MUTIRAO_REQUIRE_ALL").is_none(),
            "{} is missing",
            tools.display()
        );
        return eprintln!("left out: schemathesis is not installed; cargo xtask test does so");
    }
    let desk = Desk::new();
    let (_up, master) = desk.up();
    let accepted = ask(master, "POST", "/api/v1/tasks?name=sum", &[], &desk.task());
    assert_eq!(accepted.status, 201);
    wait_until("done", PATIENCE, || state_of(master, "last") == "done");
    let checked = Command::new(&tools)
        .args([
            "run",
            &format!("http://{master}/api/openapi.json"),
            "--max-examples",
            "15",
            "--seed",
            "1",
        ])
        // A group is known once it has a part.
        .args(["--exclude-checks", "ensure_resource_availability"])
        // It never ends, which the tool would wait for.
        .args(["--exclude-path", "/api/v1/events"])
        .env(
            "SCHEMATHESIS_HOOKS",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/hooks.py"),
        )
        .current_dir(desk.folder.path())
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
}
