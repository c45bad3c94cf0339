//! `mutirao doctor` on the real binary: it names the step at which the way to a master ends, and the rule or flag to use.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Output;
use std::thread;

use common::PATIENCE;
use common::desk::{Desk, err, out};
use common::lan::{Host, Lan};
use common::ours::{answer, our_master};
use common::program::Program;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

fn steps(output: &Output) -> (Option<i32>, Value) {
    let printed = serde_json::from_slice(&output.stdout);
    let printed = printed.unwrap_or_else(|error| panic!("{error}: {}", err(output)));
    (output.status.code(), printed)
}

#[track_caller]
fn went(printed: &Value, step: &str) -> String {
    let steps = printed["steps"].as_array().unwrap();
    let found = steps.iter().find(|found| found["step"] == step).unwrap();
    found["went"].as_str().unwrap().to_owned()
}

fn helps(printed: &Value, step: &str) -> String {
    let steps = printed["steps"].as_array().unwrap();
    let found = steps.iter().find(|found| found["step"] == step).unwrap();
    found["helps"].to_string()
}

#[test]
fn beside_a_master_all_is_well_on_the_way_to_it() {
    let desk = Desk::new();
    let _master = desk.master();
    let (_, printed) = steps(&desk.output(&["doctor", "--wait", "1", "--json"]));
    for step in ["answer_in", "tcp", "http", "clock", "python"] {
        assert_eq!(went(&printed, step), "well", "{printed:#}");
    }
    assert!(printed["master"].is_string(), "{printed:#}");
    let text = out(&desk.output(&["doctor", "--wait", "1"]));
    assert!(
        text.contains("ok      answer in      \"lab\" at "),
        "{text}"
    );
}

#[test]
fn without_a_python_the_flag_that_names_one_is_told() {
    let desk = Desk::new();
    let _master = desk.master();
    let mut command = desk.command(&["doctor", "--wait", "1", "--json"]);
    let output = command.env("PATH", desk.folder.path()).output().unwrap();
    let (code, printed) = steps(&output);
    assert_eq!(code, Some(1), "{printed:#}");
    assert_eq!(went(&printed, "python"), "failed", "{printed:#}");
    assert!(helps(&printed, "python").contains("--python PATH"));
}

#[test]
fn without_a_master_the_way_ends_at_its_answer() {
    let desk = Desk::new();
    let (code, printed) = steps(&desk.output(&["doctor", "--wait", "0.2", "--json"]));
    assert_eq!(code, Some(3));
    assert_eq!(went(&printed, "answer_in"), "failed", "{printed:#}");
    for step in ["tcp", "http", "clock"] {
        assert_eq!(went(&printed, step), "left_out");
    }
    assert!(helps(&printed, "answer_in").contains("sudo ufw allow "));
}

/// Answers one connection with these bytes; where it does.
fn server(says: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(says.as_bytes()).unwrap();
    });
    at
}

#[test]
fn a_master_with_another_time_is_told_with_how_far_it_is_off() {
    let desk = Desk::new();
    let past =
        "HTTP/1.1 200 OK\r\ndate: Sun, 04 Jan 2015 06:48:08 GMT\r\ncontent-length: 0\r\n\r\n";
    let at = server(past);
    let words = ["doctor", "--wait", "0.2", "--master", &at, "--json"];
    let (code, printed) = steps(&desk.output(&words));
    assert_eq!(code, Some(1), "{printed:#}");
    assert_eq!(went(&printed, "http"), "well", "{printed:#}");
    assert_eq!(went(&printed, "clock"), "failed", "{printed:#}");
    assert!(helps(&printed, "clock").contains("set-ntp true"));
}

#[test]
fn what_listens_there_and_is_no_master_is_told() {
    let desk = Desk::new();
    let at = server("220 mail.example.org ESMTP\r\n");
    let words = ["doctor", "--wait", "0.2", "--master", &at, "--json"];
    let (code, printed) = steps(&desk.output(&words));
    assert_eq!(code, Some(3), "{printed:#}");
    assert_eq!(went(&printed, "tcp"), "well", "{printed:#}");
    assert_eq!(went(&printed, "http"), "failed", "{printed:#}");
    assert!(helps(&printed, "http").contains("ss -lntp"));
}

#[test]
fn a_closed_port_is_told_from_one_that_is_dropped() {
    let desk = Desk::new();
    // Bound and not listening, so that no other test gets the port meanwhile.
    let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    held.bind(&any.into()).unwrap();
    let at = held.local_addr().unwrap().as_socket().unwrap().to_string();
    let words = ["doctor", "--wait", "0.2", "--master", &at, "--json"];
    let (code, printed) = steps(&desk.output(&words));
    assert_eq!(code, Some(3), "{printed:#}");
    assert_eq!(went(&printed, "tcp"), "failed", "{printed:#}");
    assert!(helps(&printed, "tcp").contains("nothing listens on TCP port"));
}

#[test]
fn whoever_names_a_master_is_told_of_no_other() {
    let desk = Desk::new();
    let _other = desk.master();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = held.local_addr().unwrap().to_string();
    drop(held);
    let output = desk.output(&["doctor", "--master", &at, "--json"]);
    let (code, printed) = steps(&output);
    assert_eq!(code, Some(3), "{printed:#}");
    for step in ["broadcast_out", "answer_in"] {
        assert_eq!(went(&printed, step), "left_out", "{printed:#}");
    }
    assert!(!out(&output).contains("lab"), "{printed:#}");
    let text = out(&desk.output(&["doctor", "--master", &at]));
    let said = format!("-       answer in      {at} was named, so no other is looked for\n");
    assert!(text.contains(&said), "{text}");
}

/// Lets the host send nothing that begins so, as a firewall would.
fn drop_all(host: &Host, what: &[&str]) {
    let words = [&["rule", "add"], what, &["blackhole"]].concat();
    let mut command = host.command("ip");
    assert_eq!(
        Program::spawn("ip", command.args(words)).wait_end(PATIENCE),
        Some(0)
    );
}

#[test]
fn on_a_lan_the_step_is_named_at_which_a_firewall_ends_the_way() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let hosts = ["master", "laptop"].map(|name| lan.host(name));
    let [master_host, laptop] = &hosts;
    let _master = our_master(master_host, "--name lab");
    let (code, printed) = steps(&answer(laptop, "doctor --json"));
    assert_eq!(code, Some(0), "{printed:#}");
    for step in [
        "interfaces",
        "broadcast_out",
        "answer_in",
        "tcp",
        "http",
        "clock",
    ] {
        assert_eq!(went(&printed, step), "well", "{printed:#}");
    }

    drop_all(master_host, &["ipproto", "tcp", "sport", "50020"]);
    let (code, printed) = steps(&answer(laptop, "doctor --json"));
    assert_eq!(
        (code, &printed["failed"]),
        (Some(3), &"tcp".into()),
        "{printed:#}"
    );
    assert_eq!(went(&printed, "answer_in"), "well", "{printed:#}");
    assert!(helps(&printed, "tcp").contains("sudo ufw allow 50020/tcp"));

    drop_all(master_host, &["ipproto", "udp", "sport", "50005"]);
    let (code, printed) = steps(&answer(laptop, "doctor --json"));
    assert_eq!(
        (code, &printed["failed"]),
        (Some(3), &"answer_in".into()),
        "{printed:#}"
    );
    assert_eq!(went(&printed, "broadcast_out"), "well", "{printed:#}");
    assert!(helps(&printed, "answer_in").contains("sudo ufw allow 50005/udp"));
}

#[test]
fn on_a_machine_without_a_network_the_way_ends_at_its_interfaces() {
    let Some(lan) = Lan::or_leave_out() else {
        return;
    };
    let laptop = lan.host("laptop");
    let mut unplugged = laptop.command("ip");
    let down = Program::spawn("ip", unplugged.args(["address", "flush", "dev", "eth0"]));
    assert_eq!(down.wait_end(PATIENCE), Some(0));
    let (code, printed) = steps(&answer(&laptop, "doctor --wait 0.2 --json"));
    assert_eq!(
        (code, &printed["failed"]),
        (Some(3), &"interfaces".into()),
        "{printed:#}"
    );
    assert_eq!(went(&printed, "broadcast_out"), "failed", "{printed:#}");
}
