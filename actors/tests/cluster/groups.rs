//! Groups of tasks, as whoever submits them sees them.

use serde_json::Value;

use super::world::{Cable, Speaker, World, with_master};

/// Submits a task of these bytes with these fields beside; its id.
async fn submit(control: &mut Speaker, data: &str, fields: &str) -> String {
    let submit =
        format!(r#"{{"action":"SUBMIT_TASK","task_name":"a","task_data":"{data}",{fields}}}"#);
    let accepted = control.ask_value(submit).await;
    let id = accepted["task_id"].as_str();
    id.unwrap_or_else(|| panic!("{accepted}")).to_owned()
}

async fn report(control: &mut Speaker, task: &str) -> Value {
    let status = format!(r#"{{"action":"TASK_STATUS","task_id":"{task}","why":true}}"#);
    control.ask_value(status).await["task"].clone()
}

fn ended(world: &World) -> usize {
    world.shelves().ended.len()
}

#[tokio::test(start_paused = true)]
async fn the_parts_of_a_group_are_told_apart_however_they_end() {
    with_master(async |world| {
        let mut control = world.connect(9);
        let open = r#"{"action":"OPEN_GROUP","name":"main"}"#;
        let opened = control.ask_value(open).await;
        assert_eq!(opened["group"], "main-1", "{opened}");
        let parts = [
            submit(
                &mut control,
                "MSAw",
                r#""group":"main-1","part":0,"parts":2"#,
            )
            .await,
            submit(
                &mut control,
                "MSAx",
                r#""group":"main-1","part":1,"parts":2"#,
            )
            .await,
        ];
        let _peer = world.peer(1, 1, &Cable::default());
        world.until("both ended", |world| ended(world) == 2).await;
        for (number, (part, state)) in parts.iter().zip(["done", "failed"]).enumerate() {
            let report = report(&mut control, part).await;
            assert_eq!(report["state"], state, "{report}");
            assert_eq!(report["part"], number, "{report}");
            assert_eq!(
                (&report["parts"], &report["group"]),
                (&2.into(), &"main-1".into())
            );
        }
    })
    .await;
}
