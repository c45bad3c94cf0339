//! The wrong turns that a newcomer takes, with the real binary: each ends in a message that says what to do.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Output;

use common::PATIENCE;
use common::archives::put_task;
use common::desk::{Desk, err};
use socket2::{Domain, Socket, Type};

/// Exit codes.
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NO_MASTER: i32 = 3;

/// A folder as a newcomer has it.
fn desk() -> Desk {
    let desk = Desk::new();
    fs::write(desk.path("main.py"), "print(1)").unwrap();
    fs::write(desk.path("input.csv"), "a,b\n1,2\n3,4\n").unwrap();
    desk
}

#[track_caller]
fn assert_says(output: &Output, code: i32, words: &[&str]) {
    let said = err(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for words in words {
        assert!(said.contains(words), "`{words}` is not said: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert!(said.lines().count() < 12, "it is one message: {said}");
}

#[test]
fn a_slip_of_the_pen_is_told_with_what_was_likely_meant() {
    let desk = desk();
    let cases: [(&[&str], &str); 7] = [
        (&["rnu", "main.py"], "'run'"),
        (&["run", "main.py", "input.csv", "--row", "3"], "'--rows'"),
        (&["run", "mian.py"], "did you mean main.py?"),
        (&["run", "main.py", "inptu.csv"], "did you mean input.csv?"),
        (
            &["run", "main.py", "inptu.csv", "--rows", "2"],
            "did you mean input.csv?",
        ),
        (&["man", "rnu"], "did you mean run?"),
        (
            &["run", "main.py", "--param", "rate=1,2", "--", "{rtae}"],
            "there is no --param rtae, of which {rtae} would be the value; did you mean rate?; to hand the braces on as they \
             are, write {{rtae}}",
        ),
    ];
    for (words, meant) in cases {
        assert_says(&desk.output(words), USAGE, &[meant]);
    }
}

#[test]
fn what_can_be_no_task_is_told_with_what_one_is() {
    let desk = desk();
    fs::write(desk.path("no.zip"), "no ZIP").unwrap();
    put_task(desk.folder.path(), "bare.zip", &[("script.py", "1")]);
    fs::create_dir(desk.path("folder")).unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["run"], "Usage: mutirao run"),
        (&["run", "nothing.py"], "failed to find nothing.py"),
        (&["run", "no.zip"], "copy or pack it again"),
        (
            &["run", "bare.zip"],
            "a task ZIP holds main.py at its root or in its one folder",
        ),
        (&["run", "folder"], "folder holds no main.py"),
        (
            &["run", "input.csv"],
            "name the script first, as in `mutirao run main.py input.csv`",
        ),
    ];
    for (words, told) in cases {
        assert_says(&desk.output(words), USAGE, &[told]);
    }
}

#[test]
fn a_table_that_cannot_be_cut_is_told_with_how_to_mend_it() {
    let desk = desk();
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16: Vec<u8> = wide("\u{feff}a,b\n1,2\n");
    fs::write(desk.path("empty.csv"), "").unwrap();
    fs::write(desk.path("bare.csv"), "a,b\n").unwrap();
    fs::write(desk.path("utf16.csv"), utf16).unwrap();
    fs::write(desk.path("mac.csv"), "a,b\r1,2\r3,4\r").unwrap();
    fs::write(desk.path("open.csv"), "a,b\n1,\"2\n3,4\n").unwrap();
    let cases = [
        ("empty.csv", "it is empty"),
        ("bare.csv", "a header and no rows"),
        ("utf16.csv", "iconv -f UTF-16 -t UTF-8"),
        ("mac.csv", "tr '\\r' '\\n'"),
        ("open.csv", "a quote that opens in row 1"),
    ];
    for (table, told) in cases {
        let output = desk.output(&["run", "main.py", table, "--rows", "1"]);
        assert_says(&output, USAGE, &[table, "cannot be cut", told]);
    }
    for number in ["0", "-1", "many"] {
        let rows = format!("--rows={number}");
        let output = desk.output(&["run", "main.py", "input.csv", &rows]);
        assert_says(&output, USAGE, &["--rows", "a whole number from 1 on"]);
    }
    let output = desk.output(&["run", "main.py", "--rows", "2"]);
    assert_says(&output, USAGE, &["name it behind the script"]);
}

#[test]
fn without_python_it_is_told_how_to_name_one() {
    let desk = desk();
    for words in [&["run", "main.py"][..], &["peer"], &["up", "--drain"]] {
        let bare = desk.command(words).env("PATH", "/nowhere").output();
        assert_says(
            &bare.unwrap(),
            USAGE,
            &["install Python 3", "--python PATH"],
        );
        let named = [words, &["--python", "/nowhere/python3"]].concat();
        let output = desk.output(&named);
        assert_says(&output, USAGE, &["/nowhere/python3", "name another"]);
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_the_option_for_another() {
    let desk = desk();
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for command in ["master", "up"] {
        let output = desk.output(&[command, "--port", &port]);
        assert_says(
            &output,
            USAGE,
            &[&port, "is taken", "give another port with --port"],
        );
    }
}

#[test]
fn a_reason_that_is_no_line_is_told_before_any_master_is_asked() {
    let long = "ã".repeat(501);
    let output = desk().output(&["cancel", "last", "--reason", &long]);
    assert_says(&output, USAGE, &["at most 500 characters", "has 501"]);
}

#[test]
fn a_setting_that_is_not_taken_is_told_with_the_file_or_the_variable_that_says_it() {
    let desk = desk();
    fs::write(desk.path("mutirao.toml"), "[peer]\nslots = 0\n").unwrap();
    let told = ["error: mutirao.toml: invalid value '0' for '--slots <N>'"];
    assert_says(&desk.output(&["peer"]), USAGE, &told);
    let typed = desk.output(&["peer", "--slots", "0"]);
    assert_says(
        &typed,
        USAGE,
        &["error: invalid value '0' for '--slots <N>'"],
    );
    for (variable, value, words, told) in [
        ("MUTIRAO_TIME_LIMIT", "1d", "master", "such as 90s or 1.5h"),
        (
            "MUTIRAO_LOG_FORMAT",
            "xml",
            "list",
            "possible values: text, json",
        ),
        ("MUTIRAO_MASTER", "no host:x", "list", "is not a HOST:PORT"),
    ] {
        let output = desk.command(&[words]).env(variable, value).output();
        let begins = format!("error: {variable}: ");
        assert_says(&output.unwrap(), USAGE, &[&begins, value, told]);
    }
}

#[test]
fn without_a_master_it_is_told_how_to_start_or_name_one() {
    let desk = desk();
    // Taken, so that nobody else can listen there, and refused.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    taken.bind(&any.into()).unwrap();
    let silent = taken.local_addr().unwrap().as_socket().unwrap().to_string();
    let commands: [&[&str]; 6] = [
        &["status"],
        &["peers"],
        &["submit", "main.py"],
        &["wait", "last"],
        &["cancel", "last"],
        &["why", "last"],
    ];
    for words in commands {
        let told = ["mutirao master", "--master HOST:PORT"];
        assert_says(&desk.output(words), NO_MASTER, &told);
        let gone = [words, &["--master", &silent]].concat();
        assert_says(&desk.output(&gone), NO_MASTER, &[&silent]);
    }
    // A master that was named is meant: nothing is run here instead.
    let runs: [&[&str]; 3] = [
        &["run", "main.py"],
        &["run", "main.py", "input.csv", "--rows", "1"],
        &["run", "main.py", "--dry-run"],
    ];
    for words in runs {
        let gone = [words, &["--master", &silent]].concat();
        assert_says(&desk.output(&gone), NO_MASTER, &[&silent]);
    }
    // A script needs none, and the person is told so.
    assert_says(&desk.output(&["run", "main.py"]), 0, &["running it here"]);
}

#[test]
fn while_no_peer_is_there_it_is_told_how_to_start_one_and_goes_on_when_it_comes() {
    let desk = desk();
    let _master = desk.master();
    let runs = [
        &["run", "main.py"][..],
        &["run", "main.py", "input.csv", "--rows", "1"],
        &["run", "main.py", "input.csv", "--rows", "1", "--no-canary"],
    ];
    let runs = runs.map(|words| desk.start(words));
    for run in &runs {
        let is_told = |line: &str| line.contains("start one with `mutirao peer`");
        run.wait_line(is_told, PATIENCE);
        assert_eq!(run.count(is_told), 1);
    }
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    for run in &runs {
        assert_eq!(run.wait_end(PATIENCE), Some(0));
    }
}

#[test]
fn a_second_master_in_a_folder_is_told_who_is_there() {
    let desk = desk();
    let _master = desk.master();
    assert_says(&desk.output(&["master"]), USAGE, &["master"]);
}

#[test]
fn a_bug_of_the_script_is_shown_and_where_its_output_lies() {
    let desk = desk();
    fs::write(desk.path("main.py"), "print(1 / 0)").unwrap();
    let output = desk.output(&["run", "main.py", "--retries", "0"]);
    let told = [
        "ZeroDivisionError",
        "failed after 1 try",
        "results/failed/main.zip",
    ];
    assert_says(&output, FAILED, &told);
}

#[test]
fn a_file_that_was_left_behind_is_told_with_how_to_take_it_along() {
    let desk = desk();
    fs::write(desk.path("data.txt"), "1").unwrap();
    fs::write(desk.path("main.py"), "print(open('data.txt').read())").unwrap();
    let told = ["→ data.txt was not handed in", "mutirao run FOLDER"];
    for more in [&[][..], &["input.csv", "--rows", "1"]] {
        let words = [&["run", "main.py", "--retries", "0"], more].concat();
        let output = desk.output(&words);
        assert_eq!(output.status.code(), Some(FAILED));
        for words in told {
            assert!(err(&output).contains(words), "{}", err(&output));
        }
    }
    let folder = desk.output(&["run", "."]);
    assert_says(&folder, 0, &[]);
}

#[test]
fn a_peer_that_finds_no_master_says_once_where_it_looks_and_what_helps() {
    let desk = desk();
    let is_lonely = |line: &str| line.contains("no master has answered yet");
    let peer = desk.start(&["peer", "--discover", "localhost:9"]);
    let elsewhere = desk.elsewhere();
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let named = elsewhere.start(&["peer", "--master", &gone]);
    let said = peer.wait_line(is_lonely, PATIENCE);
    let looks = format!(
        "UDP port {} of every network of this machine, and localhost:9 besides",
        desk.discovery()
    );
    assert!(said.contains(&looks), "{said}");
    assert!(said.contains("→ mutirao doctor finds out why"), "{said}");
    let said = named.wait_line(is_lonely, PATIENCE);
    assert!(said.contains("Connection refused"), "{said}");
    assert!(
        said.contains(&format!("→ mutirao doctor --master {gone} finds out why")),
        "{said}"
    );
    let _master = desk.master();
    peer.wait_line(|line| line.contains("found lab"), PATIENCE);
    assert_eq!(peer.count(is_lonely), 1);
}

#[test]
fn a_name_that_tasks_cannot_have_is_told_with_the_one_that_it_got() {
    let desk = desk();
    let _master = desk.master();
    let said = |words: &[&str]| {
        let output = desk.output(&[&["submit", "main.py"], words].concat());
        assert!(output.status.success(), "{}", err(&output));
        err(&output)
    };
    let task = said(&["--name", "açaí"]);
    assert_eq!(
        task,
        "\"açaí\" is called a_a_ here: names are of letters from a to z, digits, and . _ -\n"
    );
    let group = said(&["input.csv", "--rows", "1", "--name", "más datos"]);
    assert!(
        group.contains("\"más datos\" is called m_s_datos-1 here: "),
        "{group}"
    );
    assert_eq!(said(&["--name", "plain.2"]), "");
}
