//! Task ZIPs made and result ZIPs opened.

use std::fs::{self, File};
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// A task that prints `42`, the sum of its input.
pub const SUM_OF_42: [(&str, &str); 2] = [
    (
        "main.py",
        "import csv\nprint(sum(int(row[0]) for row in csv.reader(open('input.csv'))))\n",
    ),
    ("input.csv", "1\n2\n39\n"),
];

/// Puts a task of these files into the folder, which is made when missing; nobody sees half of it.
pub fn put_task(folder: &Path, name: &str, files: &[(&str, &str)]) {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (file, text) in files {
        archive
            .start_file(*file, SimpleFileOptions::default())
            .unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    fs::create_dir_all(folder).unwrap();
    let growing = folder.join(format!(".{name}.part"));
    fs::write(&growing, bytes).unwrap();
    fs::rename(growing, folder.join(name)).unwrap();
}

/// The text of one file of a ZIP.
pub fn text_in(archive: &Path, file: &str) -> String {
    let opened = File::open(archive).unwrap_or_else(|e| panic!("{}: {e}", archive.display()));
    let mut archive = ZipArchive::new(opened).unwrap();
    let mut text = String::new();
    let mut entry = archive.by_name(file).unwrap();
    entry.read_to_string(&mut text).unwrap();
    text
}

/// The names of the ZIPs in a folder, sorted; none when there is no such folder.
pub fn zips_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".zip") && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}
