use super::*;

struct Bench {
    _temp: tempfile::TempDir,
    volume: Volume,
    folder: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("payloads");
        Self {
            _temp: temp,
            volume: Volume::real(),
            folder,
        }
    }

    fn open(&self, wanted: &[Key]) -> (Packs, Vec<Key>, Vec<Archive>) {
        let (packs, mut saved) = (Packs::new(self.folder.clone(), self.aside()), Vec::new());
        let is_wanted = |key| wanted.contains(&key);
        let save = |_, archive| {
            saved.push(archive);
            Ok(())
        };
        let found = packs.open(&self.volume, is_wanted, save).unwrap();
        (packs, found, saved)
    }

    fn aside(&self) -> PathBuf {
        self.folder.with_file_name("damaged")
    }

    fn files(&self) -> usize {
        std::fs::read_dir(&self.folder).map_or(0, |names| names.count())
    }

    fn set_aside(&self) -> usize {
        std::fs::read_dir(self.aside()).map_or(0, |names| names.count())
    }
}

fn result(text: &'static str) -> (TaskId, Archive) {
    (TaskId::new(), Archive::new(text.as_bytes()))
}

fn key((task, archive): &(TaskId, Archive)) -> Key {
    (*task, archive.digest())
}

#[test]
fn a_pack_goes_when_the_last_of_its_results_is_forgotten() {
    let (bench, one, two) = (Bench::new(), result("1"), result("22"));
    let (packs, ..) = bench.open(&[]);
    packs
        .pack(&bench.volume, &[(one.0, &one.1), (two.0, &two.1)])
        .unwrap();
    for each in [&one, &two, &one] {
        let read = packs.read(&bench.volume, key(each)).unwrap();
        assert_eq!(read.as_ref(), Some(&each.1));
    }
    packs.forget(&bench.volume, &[key(&one)]);
    assert_eq!(packs.read(&bench.volume, key(&one)).unwrap(), None);
    assert_eq!(bench.files(), 1);
    packs.forget(&bench.volume, &[key(&one)]);
    packs.forget(&bench.volume, &[key(&two)]);
    assert_eq!(bench.files(), 0);
    assert_eq!(packs.read(&bench.volume, key(&two)).unwrap(), None);
}

#[test]
fn the_next_life_finds_what_it_wants_and_clears_away_the_rest() {
    let (bench, one, two) = (Bench::new(), result("1"), result("22"));
    let (packs, ..) = bench.open(&[]);
    packs
        .pack(&bench.volume, &[(one.0, &one.1), (two.0, &two.1)])
        .unwrap();
    let (packs, found, saved) = bench.open(&[key(&two)]);
    assert_eq!((found, saved), (vec![key(&two)], vec![one.1]));
    let read = packs.read(&bench.volume, key(&two)).unwrap();
    assert_eq!(read, Some(two.1.clone()));
    let other = result("333");
    packs.pack(&bench.volume, &[(other.0, &other.1)]).unwrap();
    assert_eq!(
        bench.files(),
        2,
        "a new pack is not written over an old one"
    );
    let (_, found, saved) = bench.open(&[]);
    assert!(found.is_empty());
    assert_eq!(
        saved.len(),
        3,
        "also what was forgotten while others lay there"
    );
    assert_eq!(bench.files(), 0);
}

/// Writes a pack with these, and damages it.
fn damage(bench: &Bench, zips: &[&(TaskId, Archive)], damage: impl FnOnce(&mut Vec<u8>)) -> Packs {
    let (packs, ..) = bench.open(&[]);
    let zips: Vec<_> = zips.iter().map(|(task, zip)| (*task, zip)).collect();
    packs.pack(&bench.volume, &zips).unwrap();
    let path = bench.folder.join("pack-1");
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(&path, &bytes).unwrap();
    packs
}

#[test]
fn one_that_is_damaged_is_not_given_out_and_the_others_go_on_in_a_new_pack() {
    let (bench, one, two) = (Bench::new(), result("1"), result("22"));
    let packs = damage(&bench, &[&one, &two], |bytes| {
        *bytes.last_mut().unwrap() ^= 1
    });
    let read = |zip| packs.read(&bench.volume, key(zip)).unwrap();
    assert_eq!((read(&two), read(&one)), (None, Some(one.1.clone())));
    assert!(packs.has_lost(key(&two)) && !packs.has_lost(key(&one)));
    assert!(bench.folder.join("pack-2").exists() && bench.files() == 1);
    let note = std::fs::read_to_string(bench.aside().join("pack-1.txt")).unwrap();
    assert!(note.contains(&two.0.to_string()), "{note}");
    assert!(!note.contains(&one.0.to_string()), "{note}");
    assert!(bench.aside().join("pack-1").exists());
    assert!(packs.trouble().unwrap().starts_with("1 pack was damaged"));
    packs.forget(&bench.volume, &[key(&one), key(&two)]);
    assert!(bench.files() == 0 && !packs.has_lost(key(&two)));
}

#[test]
fn a_pack_whose_index_is_damaged_loses_nothing_and_is_set_aside() {
    let (bench, one, two) = (Bench::new(), result("1"), result("22"));
    damage(&bench, &[&one, &two], |bytes| bytes[..40].fill(0));
    let (packs, mut found, saved) = bench.open(&[key(&one), key(&two)]);
    found.sort_unstable();
    let mut wanted = vec![key(&one), key(&two)];
    wanted.sort_unstable();
    assert_eq!((found, saved), (wanted, vec![]));
    for zip in [&one, &two] {
        let read = packs.read(&bench.volume, key(zip)).unwrap();
        assert_eq!(read.as_ref(), Some(&zip.1));
    }
    assert_eq!((bench.files(), bench.set_aside()), (1, 2));
    let (again, found, _) = bench.open(&[key(&one), key(&two)]);
    assert!(found.len() == 2 && again.trouble().is_none());
}

#[test]
fn however_a_pack_is_cut_it_is_kept_and_what_is_before_the_cut_is_found() {
    let (one, two) = (result("1"), result("22"));
    let wanted = [key(&one), key(&two)];
    let (bytes, places) = form::pack(&[(one.0, &one.1), (two.0, &two.1)]);
    for end in 0..bytes.len() {
        let bench = Bench::new();
        damage(&bench, &[&one, &two], |bytes| bytes.truncate(end));
        let (packs, found, _) = bench.open(&wanted);
        assert_eq!(bench.set_aside(), 2, "cut at {end}");
        for zip in [&one, &two] {
            let read = packs.read(&bench.volume, key(zip)).unwrap();
            assert_eq!(read.is_some(), found.contains(&key(zip)), "cut at {end}");
        }
        assert_eq!(found.contains(&key(&one)), end >= places[0].1.end);
    }
}

#[test]
fn what_is_learned_of_damage_changes_nothing() {
    let (bench, one, two) = (Bench::new(), result("1"), result("22"));
    damage(&bench, &[&one, &two], |bytes| {
        *bytes.last_mut().unwrap() ^= 1
    });
    let packs = Packs::new(bench.folder.clone(), bench.aside());
    let learned = packs.learn(&bench.volume).unwrap();
    let [said] = &packs.in_words(&learned.damaged)[..] else {
        panic!("{learned:?}")
    };
    assert!(
        said.ends_with("ZIPs in it that are whole: 1, that are lost: 1"),
        "{said}"
    );
    assert!(packs.has(key(&one)) && !packs.has(key(&two)));
    assert_eq!((bench.files(), bench.set_aside()), (1, 0));
}
