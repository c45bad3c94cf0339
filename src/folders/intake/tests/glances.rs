use super::*;

#[test]
fn a_glance_sees_what_happened_with_one_file_among_many() {
    let mut stage = Stage::default();
    let other = stage.open("other.zip", 1);
    stage.put("a.zip", 1);
    assert_eq!(stage.glance(["a.zip"]), []);
    assert_eq!(stage.intake.next_ready(), None, "it was seen once");
    assert_eq!(stage.glance([]), [], "it is seen again without news");
    let id = stage.open("a.zip", 1);
    stage.put("a.zip", 2);
    stage.glance(["a.zip"]);
    stage.glance([]);
    let (name, stamp) = stage.intake.next_ready().unwrap();
    let told = Reading::Sound(task("a.zip", 2), None);
    let deeds = stage.intake.read(stage.now, &name, stamp, told);
    assert_eq!(withdrawn(&deeds), [id]);
    let arrived = deeds.iter().find_map(|deed| match deed {
        Deed::Arrive(task, _) => Some(task.id),
        _ => None,
    });
    stage.lying.clear();
    let taken_back = withdrawn(&stage.glance(["a.zip", "never.zip"]));
    assert_eq!(taken_back, [arrived.unwrap()]);
    assert!(
        stage.intake.find(other).is_some(),
        "there was no news of it"
    );
    assert_eq!(withdrawn(&stage.look()), [other]);
}

#[test]
fn what_we_move_ourselves_is_not_worth_a_glance() {
    let mut stage = Stage::default();
    let id = stage.open("a.zip", 1);
    stage.intake.end(id).unwrap();
    let reserved = stage.intake.reserve(stage.now, &TaskName::tamed("b.zip"));
    assert_eq!(stage.begin_glance(["a.zip", reserved.as_str()]), [""; 0]);
}

#[test]
fn a_glance_that_began_before_we_wrote_does_not_withdraw() {
    let mut stage = Stage::default();
    let gone = stage.begin_glance(["a.zip"]);
    let name = stage.intake.reserve(stage.now, &TaskName::tamed("a.zip"));
    let ours = task(name.as_str(), 1);
    stage.intake.adopt(stamp(1), (*ours).clone());
    stage.intake.laid(ours.id, stamp(1)).unwrap();
    let before = Glance {
        gone,
        ..Glance::default()
    };
    assert_eq!(withdrawn(&stage.intake.glance(stage.now, &before)), []);
    assert_eq!(
        withdrawn(&stage.glance(["a.zip"])),
        [ours.id],
        "a later one may"
    );
}
