//! Figures for Prometheus: base units, and no ids as labels.

use actix_web::HttpResponse;
use actix_web::web::Data;
use mutirao_actors::wire::report::{MasterReport, PeerRow};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Desk;
use super::problem::Problem;

type Labels = [(&'static str, &'static str); 1];

/// How the master stands, in figures.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text"),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn metrics(desk: Data<Desk>) -> Result<HttpResponse, Problem> {
    let (report, peers) = (desk.report().await?, desk.peers().await?);
    let mut text = String::new();
    // Nothing is written but to memory.
    encode(&mut text, &registry(&report, &peers)).map_err(|_| Problem::strange())?;
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}

fn registry(report: &MasterReport, peers: &[PeerRow]) -> Registry {
    let mut registry = Registry::with_prefix("mutirao");
    let version = Info::new(vec![("version", report.version.clone())]);
    registry.register("build", "The program", version);
    let uptime = ConstGauge::new(i64::try_from(report.uptime_s).unwrap_or(i64::MAX));
    registry.register_with_unit("uptime", "Since the master started", Unit::Seconds, uptime);
    let tasks = &report.queue.tasks;
    let open = Family::<Labels, Gauge>::default();
    for (state, count) in [("queued", tasks.queued), ("leased", tasks.leased)] {
        gauge(&open, [("state", state)], count);
    }
    registry.register("open_tasks", "Tasks that are not over, by state", open);
    let ended = [
        ("tasks_done", "Tasks that have their result", tasks.done),
        ("tasks_failed", "Tasks that failed for good", tasks.failed),
        (
            "tasks_cancelled",
            "Tasks that were cancelled",
            tasks.cancelled,
        ),
        (
            "results_conflicting",
            "Results of tasks that have another one",
            report.queue.conflicts,
        ),
        (
            "results_unmatched",
            "Results of no try that is known",
            report.queue.unmatched,
        ),
    ];
    for (name, help, count) in ended {
        registry.register(name, help, ConstCounter::new(count));
    }
    let slots: u64 = peers.iter().map(|peer| u64::from(peer.slots)).sum();
    let gauges = [
        ("peers", "Peers that are here", peers.len() as u64),
        (
            "peers_quarantined",
            "Peers that get no tasks, for they fail what others pass",
            report.queue.quarantined.len() as u64,
        ),
        ("slots", "Tasks that all peers can run at a time", slots),
        (
            "tasks_arriving",
            "Files in tasks/ that are still looked at",
            report.queue.arriving.into(),
        ),
        (
            "in_trouble",
            "1 while the master's disk takes nothing",
            report.queue.trouble.is_some().into(),
        ),
    ];
    for (name, help, value) in gauges {
        registry.register(
            name,
            help,
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)),
        );
    }
    registry
}

fn gauge(family: &Family<Labels, Gauge>, labels: Labels, value: u64) {
    family
        .get_or_create(&labels)
        .set(i64::try_from(value).unwrap_or(i64::MAX));
}
