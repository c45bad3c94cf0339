//! ZIPs for tests: sound ones, and hostile ones built byte by byte.

use std::fs;
use std::path::Path;

use super::packer::{Compression, Packer};

/// One entry with every claim in the author's hand.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub name: Vec<u8>,
    pub data: Vec<u8>,
    pub mode: u32,
    pub flags: u16,
    pub method: u16,
    pub size: u32,
    pub crc: u32,
    /// The header of which the directory speaks, instead of its own.
    pub header_at: Option<u32>,
}

impl Raw {
    /// A stored file that tells the truth.
    pub fn file(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.into(),
            data: data.into(),
            mode: 0o100_644,
            flags: 1 << 11,
            method: 0,
            size: data.len() as u32,
            crc: crc32(data),
            header_at: None,
        }
    }

    /// A deflated file (one stored block) that tells the truth, of fewer than 65,536 bytes.
    pub fn deflated(name: &str, data: &[u8]) -> Self {
        let length = data.len() as u16;
        let mut packed = vec![1];
        packed.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        packed.extend(data);
        Self {
            data: packed,
            method: 8,
            ..Self::file(name, data)
        }
    }

    /// What a local and a central header have in common, from the version to the length of the extra field.
    fn common(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for short in [20, self.flags, self.method, 0, 0x21] {
            bytes.extend(short.to_le_bytes());
        }
        for long in [self.crc, self.data.len() as u32, self.size] {
            bytes.extend(long.to_le_bytes());
        }
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }
}

/// The ZIP of these entries, as they claim to be.
pub(super) fn raw_zip(entries: &[Raw]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let header_at = entry.header_at.unwrap_or(bytes.len() as u32);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(entry.common());
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(header_at.to_le_bytes());
        directory.extend(&entry.name);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(entry.common());
        bytes.extend(&entry.name);
        bytes.extend(&entry.data);
    }
    let start = bytes.len() as u32;
    let length = directory.len() as u32;
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(
        [
            (entries.len() as u16).to_le_bytes(),
            (entries.len() as u16).to_le_bytes(),
        ]
        .concat(),
    );
    bytes.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}

/// A sound ZIP of stored files; a name with a slash at its end is a folder.
pub(super) fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let entry = |(name, data): &(&str, &[u8])| {
        let mode = if name.ends_with('/') {
            0o040_755
        } else {
            0o100_644
        };
        Raw {
            mode,
            ..Raw::file(name, data)
        }
    };
    raw_zip(&files.iter().map(entry).collect::<Vec<_>>())
}

/// A sound ZIP of deflated files; names that cannot be packed are left out.
pub(super) fn deflated(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packer = Packer::new(Compression::Best);
    for (name, data) in files {
        let _ = packer.add(name, *data);
    }
    packer.finish().unwrap()
}

/// ZIPs that must be refused, each with what is wrong with it.
pub(super) fn hostile() -> Vec<(String, Vec<u8>)> {
    let file = Raw::file;
    let mut all: Vec<(String, Vec<u8>)> = [
        "../x",
        "a/../../x",
        "/tmp/x",
        "C:\\x",
        "C:/x",
        "..\\x",
        "a\0b",
        "a\x1bb",
        "",
        "/",
        "..",
    ]
    .iter()
    .map(|name| {
        (
            format!("name {name:?}"),
            raw_zip(&[file("main.py", b""), file(name, b"x")]),
        )
    })
    .collect();
    for mode in [
        0o120_777, 0o020_666, 0o060_660, 0o010_644, 0o140_755, 0o040_755,
    ] {
        all.push((
            format!("mode {mode:o}"),
            raw_zip(&[Raw {
                mode,
                ..file("main.py", b"/etc/passwd")
            }]),
        ));
    }
    let mut add = |what: &str, entries: &[Raw]| all.push((what.into(), raw_zip(entries)));
    add(
        "a duplicate",
        &[file("main.py", b"1"), file("main.py", b"2")],
    );
    add(
        "a file that is a folder",
        &[file("a", b"1"), file("a/b", b"2")],
    );
    add(
        "overlap",
        &[
            file("a", b"1"),
            Raw {
                header_at: Some(0),
                ..file("b", b"1")
            },
        ],
    );
    add(
        "an encrypted entry",
        &[Raw {
            flags: 1,
            ..file("a", b"1")
        }],
    );
    add(
        "an unknown method",
        &[Raw {
            method: 97,
            ..file("a", b"1")
        }],
    );
    add(
        "a size too small",
        &[Raw {
            size: 1,
            ..file("a", b"123")
        }],
    );
    add(
        "a size too large",
        &[Raw {
            size: 9,
            ..file("a", b"123")
        }],
    );
    for size in [0, 1, 9] {
        let liar = Raw {
            size,
            ..Raw::deflated("a", b"123")
        };
        add(&format!("deflated, {size} bytes claimed of 3"), &[liar]);
    }
    add(
        "a wrong checksum",
        &[Raw {
            crc: 7,
            ..file("a", b"123")
        }],
    );
    add(
        "a huge claim",
        &[Raw {
            size: u32::MAX - 1,
            ..file("a", b"123")
        }],
    );
    add(
        "bytes that do not inflate",
        &[Raw {
            method: 8,
            ..file("a", b"\xff\xff\xff")
        }],
    );
    add(
        "a header beyond the end",
        &[Raw {
            header_at: Some(1 << 30),
            ..file("a", b"1")
        }],
    );
    let many: Vec<Raw> = (0..10_001)
        .map(|number| file(&number.to_string(), b""))
        .collect();
    add("thousands of entries", &many);
    let names = vec![file(&"n".repeat(5000), b"")];
    add("an endless name", &names);
    all.push(("no ZIP".into(), b"hello".to_vec()));
    all.push(("nothing".into(), Vec::new()));
    all
}

/// The files below a folder, sorted, as relative paths.
pub(super) fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(
                    path.strip_prefix(folder)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }
    files.sort();
    files
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}
