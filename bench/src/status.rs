//! How a master says that it stands.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_actors::wire::report::{MasterReport, QueueReport};
use mutirao_actors::wire::{Dialect, Request, encode_request};
use mutirao_rig::clock;
use tokio::time::sleep;

use crate::load::link::Link;

/// How often it is asked: seldom enough to cost it nothing.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How its queue stands.
pub async fn queue(link: &mut Link) -> anyhow::Result<QueueReport> {
    let request = encode_request(Dialect::Flat, None, &Request::Status);
    let mut answer = link.ask_json(&request).await?;
    let report = answer.get_mut("report").map(serde_json::Value::take);
    let report = report.context("the answer to STATUS holds no report")?;
    let report: MasterReport = serde_json::from_value(report)?;
    Ok(report.queue)
}

/// Waits until this holds of the queue.
pub async fn until(
    address: SocketAddr,
    within: Duration,
    holds: impl Fn(&QueueReport) -> bool,
) -> anyhow::Result<()> {
    let end = clock::now() + within;
    let mut link = Link::dial(address).await?;
    loop {
        let queue = queue(&mut link).await?;
        if holds(&queue) {
            return Ok(());
        }
        ensure!(clock::now() < end, "not within {within:?}: {queue:?}");
        sleep(ASK_EVERY).await;
    }
}
