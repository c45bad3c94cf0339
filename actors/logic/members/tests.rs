use std::collections::HashSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

const NOW: Moment = Moment(1_000_000);

fn booted(peer: &str, boot: u128) -> Endpoint {
    Endpoint {
        peer: peer.parse().unwrap(),
        life: Life::Boot(BootId(Uuid::from_u128(boot))),
    }
}

fn at(peer: &str, host: u8) -> Endpoint {
    Endpoint {
        peer: peer.parse().unwrap(),
        life: Life::Address([10, 0, 0, host].into()),
    }
}

fn introduction() -> Introduction {
    Introduction {
        from: IpAddr::from([10, 0, 0, 9]),
        listens: None,
        agent: None,
        slots: 1,
    }
}

fn register(members: &mut Members, endpoint: &Endpoint) -> Vec<Effect> {
    members.registered(endpoint, introduction(), NOW).unwrap()
}

fn watch(endpoint: &Endpoint) -> Effect {
    Effect::Watch(endpoint.clone(), false)
}

#[test]
fn a_new_boot_ends_the_life_before_it() {
    let mut members = Members::default();
    let (old, new) = (booted("p", 1), booted("p", 2));
    register(&mut members, &old);
    let effects = register(&mut members, &new);
    let left = Effect::Left(old.clone(), Departure::NewLife);
    assert_eq!(effects, [Effect::Unwatch(old), left, watch(&new)]);
    assert_eq!(members.iter().count(), 1);
}

#[test]
fn a_late_word_of_an_ended_life_changes_nothing() {
    let mut members = Members::default();
    let (old, new) = (booted("p", 1), booted("p", 2));
    register(&mut members, &old);
    register(&mut members, &new);
    assert_eq!(members.heard(&old, true, NOW), []);
    let refused = members.registered(&old, introduction(), NOW);
    assert_eq!(refused, Err(Refusal::LifeOver(old.peer.clone())));
    assert_eq!(members.said_goodbye(&old), []);
    assert_eq!(members.fell_silent(&old, Duration::ZERO, NOW), []);
    assert_eq!(members.latest(&new.peer).unwrap().0, &new);
}

#[test]
fn a_life_that_only_fell_silent_goes_on() {
    let mut members = Members::default();
    let peer = booted("p", 1);
    register(&mut members, &peer);
    let silence = Departure::Silence(Duration::ZERO);
    assert_eq!(
        members.fell_silent(&peer, Duration::ZERO, NOW),
        [
            Effect::Unwatch(peer.clone()),
            Effect::Left(peer.clone(), silence)
        ]
    );
    assert_eq!(register(&mut members, &peer), [watch(&peer)]);
}

#[test]
fn a_silent_life_is_over_once_a_newer_one_is_here() {
    let mut members = Members::default();
    let (old, new) = (booted("p", 1), booted("p", 2));
    register(&mut members, &old);
    members.fell_silent(&old, Duration::ZERO, NOW);
    register(&mut members, &new);
    assert_eq!(members.heard(&old, true, NOW), []);
    assert!(members.registered(&old, introduction(), NOW).is_err());
}

#[test]
fn one_peer_id_at_two_addresses_is_two_members() {
    let mut members = Members::default();
    register(&mut members, &at("p", 1));
    assert_eq!(
        register(&mut members, &at("p", 2)),
        [watch(&at("p", 2))],
        "nobody leaves"
    );
    register(&mut members, &booted("p", 1));
    assert_eq!(members.iter().count(), 3);
}

#[test]
fn one_who_never_registered_is_listed_and_its_leaving_is_told() {
    let mut members = Members::default();
    let peer = at("p", 1);
    assert_eq!(
        members.heard(&peer, true, NOW),
        [Effect::Watch(peer.clone(), true)]
    );
    assert_eq!(members.iter().count(), 1);
    let effects = members.fell_silent(&peer, Duration::ZERO, NOW);
    let silence = Departure::Silence(Duration::ZERO);
    assert_eq!(
        effects,
        [Effect::Unwatch(peer.clone()), Effect::Left(peer, silence)]
    );
}

#[test]
fn a_word_that_overtook_the_news_of_silence_keeps_its_speaker() {
    let mut members = Members::default();
    let peer = at("p", 1);
    register(&mut members, &peer);
    let later = NOW.after(Duration::from_secs(90));
    members.heard(&peer, false, later);
    assert_eq!(
        members.fell_silent(&peer, Duration::from_secs(90), later),
        []
    );
    assert_eq!(members.iter().count(), 1);
}

#[test]
fn a_goodbye_is_a_planned_departure() {
    let mut members = Members::default();
    let peer = booted("p", 1);
    register(&mut members, &peer);
    let effects = members.said_goodbye(&peer);
    let left = Effect::Left(peer.clone(), Departure::Goodbye);
    assert_eq!(effects, [Effect::Unwatch(peer.clone()), left]);
    assert!(Departure::Goodbye.is_planned() && !Departure::NewLife.is_planned());
    assert!(members.registered(&peer, introduction(), NOW).is_err());
}

#[test]
fn a_full_cluster_takes_new_lives_of_its_members_only() {
    let mut members = Members::default();
    for number in 0..MEMBERS_MAX {
        register(&mut members, &booted(&format!("p{number}"), 1));
    }
    let stranger = at("stranger", 1);
    let refused = members.registered(&stranger, introduction(), NOW);
    assert_eq!(refused, Err(Refusal::Full));
    assert_eq!(members.heard(&stranger, true, NOW), []);
    register(&mut members, &booted("p7", 1));
    register(&mut members, &booted("p7", 2));
    assert_eq!(members.iter().count(), MEMBERS_MAX);
}

#[test]
fn the_name_of_a_program_is_cut() {
    let mut members = Members::default();
    let mut said = introduction();
    said.agent = Some("é".repeat(1000));
    members.registered(&at("p", 1), said, NOW).unwrap();
    let (_, member) = members.iter().next().unwrap();
    let agent = member.introduction.as_ref().unwrap().agent.as_ref();
    assert_eq!(agent.unwrap().chars().count(), AGENT_MAX);
}

#[test]
fn a_namesake_elsewhere_does_not_end_a_life_and_may_come_when_it_has_ended() {
    let mut members = Members::default();
    let (honest, thief) = (booted("p", 1), booted("p", 2));
    register(&mut members, &honest);
    let mut elsewhere = introduction();
    elsewhere.from = IpAddr::from([10, 0, 0, 66]);
    let refused = members.registered(&thief, elsewhere.clone(), NOW);
    assert_eq!(refused, Err(Refusal::Namesake(honest.peer.clone())));
    assert_eq!(
        members.iter().map(|(here, _)| here).collect::<Vec<_>>(),
        [&honest]
    );
    members.fell_silent(&honest, Duration::ZERO, NOW);
    assert!(members.registered(&thief, elsewhere, NOW).is_ok());
}

#[derive(Debug, Clone, Copy)]
enum Fact {
    Registered,
    Heard,
    Goodbye,
    Silent,
}

fn any_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        Just(Fact::Registered),
        Just(Fact::Heard),
        Just(Fact::Goodbye),
        Just(Fact::Silent)
    ]
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    let peer = prop_oneof![Just("p"), Just("q")];
    (peer, any::<bool>(), 1..4_u8).prop_map(|(peer, ours, number)| {
        if ours {
            booted(peer, number.into())
        } else {
            at(peer, number)
        }
    })
}

proptest! {
    /// The scheduler and the watch, as models: what they are told must fit what they know.
    #[test]
    fn join_and_leave_alternate_and_exactly_the_members_are_watched(
        facts in proptest::collection::vec((any_endpoint(), any_fact(), 0..3_u64), 0..60)
    ) {
        let mut members = Members::default();
        let mut joined = HashSet::new();
        let mut watched = HashSet::new();
        let mut now = NOW;
        for (endpoint, fact, later) in facts {
            now.0 += later;
            let effects = match fact {
                Fact::Registered => members
                    .registered(&endpoint, introduction(), now)
                    .unwrap_or_default(),
                Fact::Heard => members.heard(&endpoint, false, now),
                Fact::Goodbye => members.said_goodbye(&endpoint),
                Fact::Silent => members.fell_silent(&endpoint, Duration::ZERO, now),
            };
            for effect in effects {
                match effect {
                    Effect::Left(endpoint, _) => prop_assert!(joined.remove(&endpoint), "left twice"),
                    Effect::Watch(endpoint, _) => {
                        joined.insert(endpoint.clone());
                        watched.insert(endpoint);
                    }
                    Effect::Unwatch(endpoint) => prop_assert!(watched.remove(&endpoint)),
                }
            }
            let here: HashSet<Endpoint> = members.iter().map(|(endpoint, _)| endpoint.clone()).collect();
            prop_assert_eq!(&here, &watched);
            prop_assert_eq!(&joined, &here);
            for peer in ["p", "q"] {
                let lives = here.iter().filter(|one| one.is_ours() && one.peer.as_str() == peer);
                prop_assert!(lives.count() <= 1, "two lives of one peer");
            }
        }
    }
}
