//! How large a message may get, by who hears it and by what it is.

/// Most bytes of a request outside its payload: 64 KiB is a hundred times the longest, and what one stranger may make us keep.
pub const ENVELOPE_MAX: usize = 64 << 10;
/// Most bytes of a reply outside its payload: a list of ten thousand peers has about 3 MiB, and a peer hears one master.
pub const REPLY_ENVELOPE_MAX: usize = 4 << 20;
/// Largest ZIP that travels, in bytes.
pub const ARCHIVE_MAX: usize = 64 << 20;
/// Most bytes of payload in one message: the base64 of [`ARCHIVE_MAX`], and room for those who wrap lines.
pub const PAYLOAD_MAX: usize = ARCHIVE_MAX / 3 * 4 + ARCHIVE_MAX / 16;

/// How large a message may get.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Most bytes outside of payloads.
    pub envelope: usize,
    /// Most bytes of payload, taken together.
    pub payload: usize,
    /// Most bytes behind a message, where that is agreed.
    pub raw: usize,
    /// The actions that carry a payload; any other, once it is known, gets no more than the envelope.
    pub carriers: &'static [&'static str],
}

impl Caps {
    /// For whoever hears requests.
    pub const REQUESTS: Self = Self {
        envelope: ENVELOPE_MAX,
        payload: PAYLOAD_MAX,
        raw: ARCHIVE_MAX,
        carriers: &["SUBMIT_RESULT", "SUBMIT_TASK"],
    };
    /// For whoever hears replies.
    pub const REPLIES: Self = Self {
        envelope: REPLY_ENVELOPE_MAX,
        payload: PAYLOAD_MAX,
        raw: ARCHIVE_MAX,
        carriers: &["TASK_PACKAGE", "RESULT_PACKAGE"],
    };
}
