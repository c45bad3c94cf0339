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

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_another_which_must_be_known_and_says_so() {
    with_master(async |world| {
        let mut control = world.connect(9);
        let nobody = uuid::Uuid::nil();
        control
            .ask(r#"{"action":"REGISTER","peer_id":"c","protocol":2,"boot_id":"00000000-0000-0000-0000-000000000009"}"#)
            .await;
        let refused = control
            .ask_value(format!(
                r#"{{"action":"SUBMIT_TASK","task_name":"a","task_data":"MSAw","after":"{nobody}"}}"#
            ))
            .await;
        assert_eq!(refused["code"], "bad_field", "{refused}");
        let why = refused["message"].as_str().unwrap();
        assert!(why.contains("after") && why.contains(&nobody.to_string()), "{why}");

        let canary = submit(&mut control, "OSAw", r#""group":"g""#).await;
        let fields = format!(r#""group":"g","after":"{canary}""#);
        let waiter = submit(&mut control, "MSAw", &fields).await;
        let _peer = world.peer(1, 2, &Cable::default());
        world.until("it runs", |world| !world.stage.said("LoadTask").is_empty()).await;
        let waits = report(&mut control, &waiter).await;
        assert_eq!(waits["why"]["waits"][0]["reason"], "it waits for a.zip to be done", "{waits}");
        assert_eq!(waits["attempts"], 0, "{waits}");
        world.until("both ended", |world| ended(world) == 2).await;
        assert_eq!(report(&mut control, &waiter).await["state"], "done");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_a_group_no_more_run_at_a_time_than_its_tasks_say() {
    with_master(async |world| {
        let mut control = world.connect(9);
        for _ in 0..3 {
            submit(&mut control, "OSAw", r#""group":"g","max_running":1"#).await;
        }
        let _peers = [1, 2].map(|host| world.peer(host, 4, &Cable::default()));
        let mut most = 0;
        while ended(&world) < 3 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let status = control.ask_value(r#"{"action":"STATUS"}"#).await;
            most = most.max(status["report"]["tasks"]["leased"].as_u64().unwrap());
        }
        assert_eq!(most, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn how_a_group_stands_is_told_at_any_time_and_all_of_it_that_is_open_is_cancelled() {
    with_master(async |world| {
        let mut control = world.connect(9);
        let status = |group: &str| format!(r#"{{"action":"GROUP_STATUS","group":"{group}"}}"#);
        assert!(
            control
                .ask(status("last"))
                .await
                .contains("no group of this name")
        );
        // One fails at once, the others run for long.
        for (part, data) in ["MCAx", "OTkw", "OTkw", "OTkw"].iter().enumerate() {
            let fields = format!(r#""group":"g","retries":0,"part":{part},"parts":4"#);
            submit(&mut control, data, &fields).await;
        }
        let stands = control.ask_value(status("g")).await["report"].clone();
        assert_eq!(
            (&stands["waiting"], &stands["complete"]),
            (&4.into(), &false.into())
        );
        let _peer = world.peer(1, 2, &Cable::default());
        world.until("one failed", |world| ended(world) == 1).await;
        world
            .until("two run", |world| world.stage.said("LoadTask").len() == 3)
            .await;
        let stands = control.ask_value(status("last")).await["report"].clone();
        let counts = ["parts", "waiting", "running", "done", "failed", "cancelled"];
        let counted = counts.map(|key| stands[key].as_u64().unwrap());
        assert_eq!(counted, [4, 1, 2, 0, 1, 0], "{stands}");
        assert_eq!(stands["failures"][0]["tasks"], 1, "{stands}");
        let cancel = r#"{"action":"CANCEL_GROUP","group":"g","reason":"a slip"}"#;
        let stands = control.ask_value(cancel).await["report"].clone();
        let counted = counts.map(|key| stands[key].as_u64().unwrap());
        assert_eq!(counted, [4, 0, 0, 0, 1, 3], "{stands}");
        assert_eq!(
            (&stands["complete"], &stands["group"]),
            (&true.into(), &"g".into())
        );
        world.until("all ended", |world| ended(world) == 4).await;

        let retry = r#"{"action":"RETRY_GROUP","group":"g","states":["cancelled"]}"#;
        let stands = control.ask_value(retry).await["report"].clone();
        assert_eq!(stands["failed"], 1, "{stands}");
        assert_eq!(
            (&stands["done"], &stands["cancelled"]),
            (&0.into(), &0.into())
        );
        world
            .until("the failed one is told", |world| {
                world
                    .shelves()
                    .reopened
                    .first()
                    .is_some_and(|ended| ended.len() == 1)
            })
            .await;
        let again = control.ask_value(retry).await;
        let why = again["message"].as_str().unwrap();
        assert!(why.contains("nothing of it failed"), "{why}");
    })
    .await;
}
