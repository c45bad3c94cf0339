//! What a ZIP from outside may be at most.

/// Most entries of a ZIP: each is a file to create on every peer, and tasks seen so far have fewer than a hundred.
pub const ENTRIES_MAX: usize = 10_000;
/// Most bytes that a ZIP may unpack to: what a peer's disk spares for one run.
pub const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// Most unpacked bytes for each packed one, above [`RATIO_FLOOR`]: rows of a CSV reach 50, deflate ends at 1032.
pub const RATIO_MAX: u64 = 250;
/// Below this size nothing is a bomb: a file of zeros is legitimate, and no disk is filled by it.
pub const RATIO_FLOOR: u64 = 128 << 20;

/// The caps, as values so that tests can reach them with small ZIPs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// See [`ENTRIES_MAX`].
    pub entries: usize,
    /// See [`UNPACKED_BYTES_MAX`].
    pub unpacked_bytes: u64,
    /// See [`RATIO_MAX`].
    pub ratio: u64,
    /// See [`RATIO_FLOOR`].
    pub ratio_floor: u64,
}

impl Limits {
    /// The caps of every ZIP from outside.
    pub const USUAL: Self = Self {
        entries: ENTRIES_MAX,
        unpacked_bytes: UNPACKED_BYTES_MAX,
        ratio: RATIO_MAX,
        ratio_floor: RATIO_FLOOR,
    };
}
