//! What was typed after `mutirao run` or `submit`, as the parts of a group.

use std::fs::{self, File};
use std::io::BufReader;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use super::near::did_you_mean;
use super::options::from_one;
use super::typed::look_at;
use crate::archive::{pack_files, task_files};
use crate::cut::{
    self, Cut, PARTS_MAX, Param, Setting, Sizes, Table, Total, check_braces, filled, setting,
    settings_count,
};

/// How the work becomes many tasks, and what else the script is told.
#[derive(Debug, Clone, Args)]
pub struct CutOptions {
    /// Cut the input into tasks of so many rows
    #[arg(long, value_name = "K", value_parser = from_one::<NonZeroU64>, group = "cut")]
    rows: Option<NonZeroU64>,
    /// Cut the input into so many tasks
    #[arg(long, value_name = "N", value_parser = from_one::<NonZeroU32>, group = "cut")]
    split: Option<NonZeroU32>,
    /// One task for each file of this name, such as 'data/*.csv'; the script finds it beside it, and its name as its argument
    #[arg(long, value_name = "GLOB", group = "cut", conflicts_with = "input")]
    each: Option<String>,
    /// One task for each value, such as a=1..5 or b=x,y; given several times, for each combination
    #[arg(long, value_name = "NAME=VALUES", group = "cut")]
    param: Vec<Param>,
    /// Arguments of the script, behind input.csv; {a} is the value of --param a, and beside a --param {{a}} is {a}
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// Files with their names in a task.
type Files = Vec<(String, PathBuf)>;

/// A script with all that goes with it, and how it is cut.
#[derive(Debug)]
pub struct Work {
    /// Files that every task has, but for its input and `task.toml`.
    files: Files,
    /// Where the input lies, if there is one.
    input: Option<PathBuf>,
    told: toml::Table,
    args: Vec<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Whole,
    Rows {
        table: Box<Table<BufReader<File>>>,
        sizes: Sizes,
        total: Total,
    },
    Files(Vec<PathBuf>),
    Settings(Vec<Param>, u32),
}

/// What of a part is its own.
#[derive(Default)]
struct Own {
    rows: Option<Vec<u8>>,
    file: Option<(String, PathBuf)>,
    setting: Option<Setting>,
}

impl CutOptions {
    /// Whether one work is to become many tasks.
    pub fn is_cut(&self) -> bool {
        self.rows.is_some() || self.split.is_some() || self.each.is_some() || !self.param.is_empty()
    }

    /// Whether the task is not just what was named.
    pub fn has_args(&self) -> bool {
        !self.args.is_empty()
    }
}

impl Work {
    /// Looks at what was typed, and at all of a table that is to be cut. Blocks.
    ///
    /// # Errors
    /// What was typed is not there, cannot be read, or makes no sense.
    pub fn of(what: &Path, input: Option<&Path>, cut: &CutOptions) -> anyhow::Result<Self> {
        let (mut files, inner) = files_of(what)?;
        input.map(look_at).transpose()?;
        let input = match (input, inner) {
            (Some(_), Some(_)) => bail!("there is an input.csv in {} already", what.display()),
            (Some(input), None) => Some(input.to_owned()),
            (None, inner) => inner,
        };
        let told = take(&mut files, "task.toml");
        let told = match told {
            Some(path) => read_toml(&path)?,
            None => toml::Table::new(),
        };
        let kind = if let Some(pattern) = &cut.each {
            Kind::Files(cut::each(pattern)?)
        } else if !cut.param.is_empty() {
            let count = settings_count(&cut.param)?;
            let args = cut.args.iter().map(String::as_str);
            check_braces(args, &cut.param, |name, known| {
                did_you_mean(name, known.iter().copied())
            })?;
            Kind::Settings(cut.param.clone(), count)
        } else {
            let cut = (cut.rows.map(Cut::Rows)).or(cut.split.map(Cut::Split));
            match cut {
                Some(cut) => rows_of(input.as_deref(), cut)?,
                None => Kind::Whole,
            }
        };
        Ok(Self {
            files,
            input,
            told,
            args: cut.args.clone(),
            kind,
        })
    }

    /// How many tasks it becomes.
    pub fn parts(&self) -> u32 {
        match &self.kind {
            Kind::Whole => 1,
            Kind::Rows { sizes, .. } => sizes.parts,
            Kind::Files(files) => u32::try_from(files.len()).unwrap_or(PARTS_MAX),
            Kind::Settings(_, count) => *count,
        }
    }

    /// What it is cut from, in words: `10,000 rows`.
    pub fn in_words(&self) -> String {
        let (count, one, many) = self.cut_from();
        counted(count, one, many)
    }

    /// The same as a number, and the words for one and for many of these.
    pub fn cut_from(&self) -> (u64, &'static str, &'static str) {
        match &self.kind {
            Kind::Whole => (1, "task", "tasks"),
            Kind::Rows { total, .. } => (total.rows, "row", "rows"),
            Kind::Files(files) => (files.len() as u64, "file", "files"),
            Kind::Settings(_, count) => (u64::from(*count), "combination", "combinations"),
        }
    }

    /// How much input all parts have, in bytes, and how many rows the first one.
    pub fn sizes(&self) -> (u64, Option<u64>) {
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        match &self.kind {
            Kind::Rows { total, sizes, .. } => (total.bytes, Some(sizes.of(0))),
            Kind::Files(files) => (files.iter().map(|path| size(path)).sum(), None),
            _ => (self.input.as_deref().map_or(0, size), None),
        }
    }

    /// The ZIP of a part, from 0. Those of rows are made in their order, each once. Blocks.
    ///
    /// # Errors
    /// When something cannot be read, has changed since it was looked at, or is too large to travel.
    pub fn part(&mut self, number: u32) -> anyhow::Result<Vec<u8>> {
        let mut own = Own::default();
        match &mut self.kind {
            Kind::Whole => {}
            Kind::Rows { table, sizes, .. } => {
                let wanted = sizes.of(number);
                let rows = table.next_rows(wanted)?;
                let rows = rows.filter(|rows| rows.count == wanted);
                own.rows = Some(rows.context("the input changed while it was cut")?.bytes);
            }
            Kind::Files(files) => {
                let path = files
                    .get(number as usize)
                    .context("there is no such file")?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                own.file = Some((name.into_owned(), path.clone()));
            }
            Kind::Settings(params, _) => own.setting = Some(setting(params, number)),
        }
        let zip = self.pack(&own)?;
        ensure!(
            zip.len() <= ARCHIVE_MAX,
            "part {number} is larger than {} MiB: cut it into smaller parts",
            ARCHIVE_MAX >> 20
        );
        Ok(zip)
    }

    fn pack(&self, own: &Own) -> anyhow::Result<Vec<u8>> {
        let mut files = self.files.clone();
        let mut texts: Vec<(&str, &[u8])> = Vec::new();
        let mut has_input = true;
        match (&own.rows, &self.input) {
            (Some(rows), _) => texts.push(("input.csv", rows)),
            (None, Some(input)) => files.push(("input.csv".into(), input.clone())),
            (None, None) => has_input = false,
        }
        if let Some((name, path)) = &own.file {
            let is_taken = files.iter().any(|(taken, _)| taken == name)
                || ["task.toml", "params.json"].contains(&name.as_str());
            ensure!(
                !is_taken,
                "{} cannot be called so beside the script: rename it",
                path.display()
            );
            files.push((name.clone(), path.clone()));
        }
        let json = own.setting.as_ref().map(Setting::json);
        if let Some(json) = &json {
            ensure!(
                !files.iter().any(|(name, _)| name == "params.json"),
                "there is a params.json beside the script: --param makes one"
            );
            texts.push(("params.json", json));
        }
        let told = self.told(has_input, own)?;
        if !told.is_empty() {
            texts.push(("task.toml", told.as_bytes()));
        }
        Ok(pack_files(&files, &texts)?)
    }

    /// The part's `task.toml`: that of the folder, with the arguments and the variables of the part.
    fn told(&self, has_input: bool, own: &Own) -> anyhow::Result<String> {
        let mut told = self.told.clone();
        let word = |text: &str| {
            let text = match &own.setting {
                Some(setting) => filled(text, setting),
                None => text.to_owned(),
            };
            toml::Value::String(text)
        };
        let file = own
            .file
            .as_ref()
            .map(|(name, _)| toml::Value::from(name.as_str()));
        let given = told.get("command").and_then(toml::Value::as_array);
        let words = given.map(|words| words.iter().filter_map(toml::Value::as_str).collect());
        if words.is_some() || file.is_some() || !self.args.is_empty() {
            let usual = || {
                let input = has_input.then_some("input.csv");
                ["python", "main.py"].into_iter().chain(input).collect()
            };
            let words: Vec<&str> = words.unwrap_or_else(usual);
            let args = self.args.iter().map(String::as_str);
            let command = words.into_iter().map(word).chain(file);
            let command: Vec<_> = command.chain(args.map(word)).collect();
            told.insert("command".into(), command.into());
        }
        if let Some(setting) = &own.setting {
            let env = told
                .entry("env")
                .or_insert_with(|| toml::Table::new().into());
            let env = env.as_table_mut().context("env in task.toml is no table")?;
            env.extend(setting.env().map(|(name, value)| (name, value.into())));
        }
        Ok(toml::to_string(&told)?)
    }
}

/// The files of a script or a folder, and the `input.csv` of the folder.
fn files_of(what: &Path) -> anyhow::Result<(Files, Option<PathBuf>)> {
    let shown = what.display();
    if look_at(what)?.is_dir() {
        let mut files = task_files(what)?;
        let input = take(&mut files, "input.csv");
        return Ok((files, input));
    }
    let ending = what.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    match ending.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("zip") => bail!("{shown} is a ZIP: name the script or the folder that it was made of"),
        Some("csv") => bail!(
            "{shown} is data and no script: name the script first, as in `mutirao run main.py {shown}`"
        ),
        _ => Ok((vec![("main.py".into(), what.to_owned())], None)),
    }
}

fn take(files: &mut Files, name: &str) -> Option<PathBuf> {
    let at = files.iter().position(|(own, _)| own == name)?;
    Some(files.remove(at).1)
}

fn read_toml(path: &Path) -> anyhow::Result<toml::Table> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {shown}"))?;
    let text = text.trim_start_matches('\u{feff}');
    toml::from_str(text).with_context(|| format!("{shown} cannot be read"))
}

fn rows_of(input: Option<&Path>, cut: Cut) -> anyhow::Result<Kind> {
    let input = input.context("--rows and --split cut an input: name it behind the script")?;
    let shown = || format!("{} cannot be cut", input.display());
    let open = || {
        let file = File::open(input).with_context(shown)?;
        Table::open(BufReader::new(file)).with_context(shown)
    };
    let total = open()?.count().with_context(shown)?;
    Ok(Kind::Rows {
        table: Box::new(open()?),
        sizes: cut.sizes(total.rows)?,
        total,
    })
}

/// `1 row`, `10,000 rows`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{TaskContents, inspect_task, unpack};

    fn cut() -> CutOptions {
        CutOptions {
            rows: None,
            split: None,
            each: None,
            param: Vec::new(),
            args: Vec::new(),
        }
    }

    fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        home
    }

    /// What the part holds under these names, and what it says of itself.
    fn unpacked(work: &mut Work, number: u32, names: &[&str]) -> (TaskContents, Vec<String>) {
        let zip = work.part(number).unwrap();
        let into = tempfile::tempdir().unwrap();
        unpack(&zip, &into.path().join("x")).unwrap();
        let text = |name| fs::read_to_string(into.path().join("x").join(name)).unwrap();
        let texts = names.iter().map(text).collect();
        (inspect_task(&zip).unwrap(), texts)
    }

    #[test]
    fn rows_become_the_input_of_as_many_tasks_as_it_takes() {
        let home = home(&[("sim.py", "1"), ("rows.csv", "h\n1\n2\n3\n")]);
        let (script, input) = (home.path().join("sim.py"), home.path().join("rows.csv"));
        let by_two = CutOptions {
            rows: NonZeroU64::new(2),
            ..cut()
        };
        let mut work = Work::of(&script, Some(&input), &by_two).unwrap();
        assert_eq!((work.parts(), work.in_words().as_str()), (2, "3 rows"));
        let parts = [0, 1].map(|number| unpacked(&mut work, number, &["input.csv"]));
        assert_eq!(parts[0].1, ["h\n1\n2\n"]);
        assert_eq!(parts[1].1, ["h\n3\n"]);
        assert_eq!(parts[0].0, parts[1].0, "they are of one kind");
        assert_eq!(parts[0].0.command, None);
    }

    #[test]
    fn each_file_travels_under_its_name_which_is_the_argument() {
        let home = home(&[
            ("job/main.py", "1"),
            ("job/lib.py", "2"),
            ("data/b.txt", "b"),
            ("data/a.txt", "a"),
        ]);
        let each = CutOptions {
            each: Some(format!("{}/data/*.txt", home.path().display())),
            args: vec!["--fast".into()],
            ..cut()
        };
        let mut work = Work::of(&home.path().join("job"), None, &each).unwrap();
        let (contents, texts) = unpacked(&mut work, 1, &["b.txt", "lib.py"]);
        assert_eq!(texts, ["b", "2"]);
        assert_eq!(
            contents.command.unwrap(),
            ["python", "main.py", "b.txt", "--fast"]
        );
        fs::write(home.path().join("data/lib.py"), "").unwrap();
        let all = CutOptions {
            each: Some(format!("{}/data/*", home.path().display())),
            ..cut()
        };
        let mut work = Work::of(&home.path().join("job"), None, &all).unwrap();
        assert!(work.part(2).unwrap_err().to_string().contains("rename it"));
    }

    #[test]
    fn a_combination_is_in_a_file_in_the_environment_and_in_the_arguments() {
        let home = home(&[
            ("job/main.py", "1"),
            ("job/input.csv", "h\n1\n"),
            ("job/task.toml", "retries = 7\nenv = { SEED = '1' }"),
        ]);
        let params = CutOptions {
            param: vec!["a=1..2".parse().unwrap(), "b=x,'$y'".parse().unwrap()],
            args: vec!["--a={a}".into()],
            ..cut()
        };
        let mut work = Work::of(&home.path().join("job"), None, &params).unwrap();
        assert_eq!(work.parts(), 4);
        let (contents, texts) = unpacked(&mut work, 3, &["params.json"]);
        assert_eq!(texts, [r#"{"a":2,"b":"'$y'"}"#]);
        assert_eq!(
            contents.command.unwrap(),
            ["python", "main.py", "input.csv", "--a=2"]
        );
        assert_eq!(contents.env["MUTIRAO_PARAM_B"], "'$y'");
        assert_eq!(contents.env["SEED"], "1");
        assert_eq!(contents.wishes.retries, Some(7));
    }

    #[test]
    fn what_cannot_be_cut_is_told_with_its_name() {
        let home = home(&[
            ("main.py", "1"),
            ("a.zip", ""),
            ("open.csv", "h\n1\n\"2\n"),
            ("bare.csv", "h\n"),
        ]);
        let by_one = CutOptions {
            rows: NonZeroU64::new(1),
            ..cut()
        };
        let refusal = |what: &str, input: Option<&str>| {
            let input = input.map(|input| home.path().join(input));
            let refused = Work::of(&home.path().join(what), input.as_deref(), &by_one);
            format!("{:#}", refused.unwrap_err())
        };
        assert!(refusal("main.py", None).contains("name it behind the script"));
        assert!(refusal("a.zip", None).contains("is a ZIP"));
        assert!(refusal("bare.csv", None).contains("name the script first"));
        let said = refusal("main.py", Some("open.csv"));
        assert!(
            said.contains("open.csv cannot be cut: a quote that opens in row 2"),
            "{said}"
        );
        assert!(refusal("main.py", Some("bare.csv")).contains("no rows"));
    }

    #[test]
    fn large_numbers_are_told_apart() {
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(999, "row", "rows"), "999 rows");
        assert_eq!(counted(1_234_567, "row", "rows"), "1,234,567 rows");
    }
}
