//! The HTTP API of the real binary: what a program sees that has only its description.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::archives::{SUM_OF_42, put_task};
use common::desk::Desk;
use common::http::{ask, get, open};
use common::wait_until;

/// Long enough for the slowest machine; a test that passes does not wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let is_own = |at: &serde_json::Value| at.as_str().unwrap().ends_with(&own);
    let addresses = masters[0]["addresses"].as_array().unwrap();
    assert!(addresses.iter().any(is_own), "{masters}");
    let metrics = get(master, "/metrics").text();
    assert!(
        metrics.contains("\nmutirao_tasks_done_total 1\n"),
        "{metrics}"
    );
}

#[test]
fn what_http_cannot_do_is_a_problem_in_words_and_json_is_spoken_on_the_same_port() {
    let desk = Desk::new();
    let (_up, master) = desk.up();
    assert_eq!(get(master, "/healthz").text(), "ok\n");
    assert_eq!(get(master, "/readyz").text(), "ready\n");
    let cases = [
        ("GET", "/api/v2/tasks", &b""[..], 404, "not known here"),
        ("DELETE", "/api/v1/tasks", b"", 405, "asked by GET, POST"),
        ("GET", "/api/v1/tasks/nobody", b"", 404, "no task"),
        ("GET", "/api/v1/peers/nobody", b"", 404, "no peer"),
        ("GET", "/api/v1/tasks?state=odd", b"", 400, "odd"),
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
    let page = ask(
        master,
        "POST",
        "/api/v1/tasks/x/cancel",
        &[("origin", "http://evil.example")],
        b"",
    );
    assert_eq!(page.status, 403);
    let status = desk.json(&["status", "--json", "--master", &master.to_string()]);
    assert_eq!(status["name"], "lab");
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
