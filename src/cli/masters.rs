//! `mutirao masters`: which masters answer here, and which one a peer would choose.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use mutirao_actors::wire::dialect::Dialect;
use serde::Serialize;

use super::options::DiscoveryOptions;
use crate::json;
use crate::search::{self, MasterRow, rows};
use crate::sockets::places::Place;
use crate::sockets::udp::Everywhere;

/// Exit code for "no master reached".
const NO_MASTER: u8 = 3;

/// List the masters that answer on this network
#[derive(Debug, Clone, Args)]
pub struct Masters {
    /// Ask this host too: for a master that broadcasts do not reach
    #[arg(long, value_name = "HOST[:PORT]")]
    pub discover: Vec<Place>,
    /// Where masters listen.
    #[command(flatten)]
    pub ports: DiscoveryOptions,
    /// How long to listen for answers
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub wait: Duration,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    masters: &'a [MasterRow],
}

/// Asks, listens and shows who answered; 0 if anybody did, 3 if nobody.
///
/// # Errors
///
/// When no socket can be opened or nothing can be printed.
pub async fn run(args: Masters) -> anyhow::Result<ExitCode> {
    let everywhere = Everywhere {
        ports: args.ports.discovery_port.clone(),
        places: args.discover.clone(),
    };
    let heard = search::masters(everywhere, args.wait).await?;
    let rows = rows(heard.ranked(&[]));
    let mut out = io::stdout().lock();
    if args.json {
        json::line(&mut out, &Answer { masters: &rows })?;
    } else if !rows.is_empty() {
        writeln!(out, "{}", table(&rows))?;
    }
    if rows.is_empty() {
        anstream::eprintln!("{}", nobody(&args));
        return Ok(ExitCode::from(NO_MASTER));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[MasterRow]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["NAME", "ADDRESS", "SPEAKS", ""]);
    for row in rows {
        let addresses: Vec<_> = row.addresses.iter().map(SocketAddr::to_string).collect();
        let dialect = match row.dialect {
            Dialect::Flat => "flat",
            Dialect::Envelope => "envelope",
            Dialect::SuperPeer => "super-peer",
        };
        let speaks = match row.protocol {
            Some(protocol) => format!("mutirao, protocol {protocol}"),
            None => format!("plain, {dialect}"),
        };
        let mark = if row.chosen {
            "← a peer here joins this one"
        } else {
            ""
        };
        table.add_row([row.name.as_str(), &addresses.join("\n"), &speaks, mark]);
    }
    table.trim_fmt()
}

fn nobody(args: &Masters) -> String {
    let ports: Vec<_> = args
        .ports
        .discovery_port
        .iter()
        .map(u16::to_string)
        .collect();
    format!(
        "no master answered within {} s on UDP port {}\n\
         - none running yet? start one with: mutirao master\n\
         - on another network, or behind a firewall? ask it by name: mutirao masters --discover HOST\n\
         - listening on another port? mutirao masters --discovery-port PORT",
        args.wait.as_secs_f32(),
        ports.join(", "),
    )
}

/// How many seconds, as they are typed.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f32>().ok();
    let wait = seconds.and_then(|seconds| Duration::try_from_secs_f32(seconds).ok());
    wait.ok_or_else(|| "how many seconds, for example 2 or 0.5".into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::{Args as _, Command, FromArgMatches as _};
    use futures_util::StreamExt as _;
    use mutirao_actors::discovery::Received;
    use mutirao_actors::logic::answering::{Answering, Identity};
    use mutirao_actors::logic::masters::Master;
    use mutirao_actors::model::Moment;
    use uuid::Uuid;

    use super::*;
    use crate::sockets::places::routes_towards;
    use crate::sockets::udp::{DISCOVERY_PORT, datagrams, discovery_listener};

    /// Long enough for the slowest machine; a test that passes does not wait for it.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn typed(words: &[&str]) -> Result<Masters, clap::Error> {
        let command = Masters::augment_args(Command::new("masters").no_binary_name(true));
        Masters::from_arg_matches(&command.try_get_matches_from(words)?)
    }

    fn lab() -> Identity {
        Identity {
            master_id: Uuid::from_u128(7),
            name: "lab".into(),
            epoch: 1,
            protocol: 2,
            capabilities: Vec::new(),
            port: 50020,
        }
    }

    /// A master of ours on any free port of this machine.
    fn master() -> u16 {
        let socket = Arc::new(discovery_listener(0).unwrap());
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut mind = Answering::new(lab());
            let mut questions = datagrams(Arc::clone(&socket));
            while let Some(Received { from, bytes }) = questions.next().await {
                let dialect = mind.hear(&bytes, from, Moment::default()).unwrap();
                let answer = mind.answer(dialect, routes_towards(from).unwrap());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn a_master_of_this_machine_answers_and_is_the_one_to_choose() {
        let ports = vec![master()];
        let places = Vec::new();
        let best = search::best(Everywhere { ports, places }, PATIENCE).await;
        let rows = rows(vec![best.unwrap().unwrap()]);
        let [row] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        assert!(row.chosen && row.name == "lab" && row.protocol == Some(2));
        let shown = table(&rows);
        assert!(shown.contains("lab") && shown.contains(":50020"), "{shown}");
    }

    #[tokio::test]
    async fn a_named_master_is_asked_too() {
        let place = format!("127.0.0.1:{}", master()).parse().unwrap();
        let places = vec![place];
        let ports = Vec::new();
        let best = search::best(Everywhere { ports, places }, PATIENCE).await;
        assert_eq!(best.unwrap().unwrap().name, "lab");
    }

    #[test]
    fn the_json_is_one_object_with_every_field() {
        let master = Master {
            name: "lab".into(),
            addresses: vec!["10.0.0.1:50020".parse().unwrap()],
            dialect: Dialect::SuperPeer,
            ours: None,
        };
        let rows = rows(vec![master]);
        let json = serde_json::to_string(&Answer { masters: &rows }).unwrap();
        assert_eq!(
            json,
            r#"{"masters":[{"name":"lab","addresses":["10.0.0.1:50020"],"dialect":"super_peer","protocol":null,"master_id":null,"epoch":null,"chosen":true}]}"#
        );
    }

    #[test]
    fn when_nobody_answers_the_reader_is_told_what_to_do() {
        let args = typed(&["--discovery-port", "9999,50001", "--wait", "0.5"]).unwrap();
        let said = nobody(&args);
        assert!(
            said.contains("within 0.5 s on UDP port 9999, 50001"),
            "{said}"
        );
        assert!(said.contains("mutirao master\n"), "{said}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_when_it_is_typed() {
        for words in [
            ["--wait", "-1"],
            ["--wait", "soon"],
            ["--discovery-port", "0"],
            ["--discover", "lab:x"],
        ] {
            assert!(typed(&words).is_err(), "{words:?}");
        }
        assert_eq!(typed(&[]).unwrap().ports.discovery_port, [DISCOVERY_PORT]);
    }
}
