//! What the switch reads of a frame, and the resets that it forges.
//!
//! Only what these LANs carry is understood: Ethernet II with ARP or IPv4, whole packets.

use super::Port;

/// An Ethernet header.
const ETHERNET: usize = 14;
/// Where it says what it carries, and the word for IPv4.
const CARRIES: usize = 12;
const IPV4: u16 = 0x0800;
/// An IPv4 header without options, as a forged packet has it; the same of TCP.
const IP: usize = 20;
const TCP_HEADER: usize = 20;
/// What an IPv4 packet carries.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Flags of TCP.
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
/// The lives that a forged packet has.
const TTL: u8 = 64;
/// "Fragments follow" and the place of a fragment: what has either is no whole packet.
const FRAGMENT: u16 = 0x3fff;

/// A frame on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Vec<u8>);

/// What is needed of a whole packet of TCP or UDP.
#[derive(Debug, Clone, Copy)]
struct Packet {
    protocol: u8,
    source: [u8; 4],
    destination: [u8; 4],
    /// Where its payload, a segment or a datagram, begins in the frame, and ends.
    begins: usize,
    ends: usize,
}

impl Frame {
    /// The frame with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The port that it goes to; none: to all. Hosts have addresses that end with their port (`address_of`).
    pub fn goes_to(&self) -> Option<Port> {
        let first = self.0.first().copied().unwrap_or_default();
        let is_for_all = first & 1 == 1;
        (!is_for_all).then(|| Port(self.0.get(5).copied().unwrap_or_default()))
    }

    /// Whether it carries a datagram of UDP.
    pub fn is_datagram(&self) -> bool {
        self.packet().is_some_and(|packet| packet.protocol == UDP)
    }

    /// Puts the checksum in, which a virtual interface leaves to hardware that is not there.
    pub fn seal(&mut self) {
        let Some(packet) = self.packet() else { return };
        let at = packet.begins + if packet.protocol == TCP { 16 } else { 6 };
        self.put(at, &[0, 0]);
        let length = u16::try_from(packet.ends - packet.begins).unwrap_or_default();
        let pseudo = [
            &packet.source[..],
            &packet.destination,
            &[0, packet.protocol],
            &length.to_be_bytes(),
        ]
        .concat();
        let payload = self.0.get(packet.begins..packet.ends);
        let sum = checksum(&[&pseudo, payload.unwrap_or_default()]);
        // A datagram with a zero there says that it has none.
        let sum = if sum == 0 { u16::MAX } else { sum };
        self.put(at, &sum.to_be_bytes());
    }

    /// The resets that end the connection which this frame is of: for whoever sent it, and for whom it was for. None
    /// if it is of no connection, or a reset itself.
    pub fn resets(&self) -> Option<[Self; 2]> {
        let packet = self.packet().filter(|packet| packet.protocol == TCP)?;
        let segment = self.0.get(packet.begins..packet.ends)?;
        let (said, heard) = (u32_at(segment, 4)?, u32_at(segment, 8)?);
        let header = usize::from(segment.get(12)? >> 4) * 4;
        let flags = *segment.get(13)?;
        if flags & RST != 0 {
            return None;
        }
        let takes = segment.len().saturating_sub(header)
            + usize::from(flags & SYN != 0)
            + usize::from(flags & FIN != 0);
        let next = said.wrapping_add(u32::try_from(takes).ok()?);
        // Whoever has heard nothing yet believes what answers its own words.
        let back = self.forged(
            &packet,
            true,
            if flags & ACK == 0 { 0 } else { heard },
            next,
        )?;
        let on = self.forged(&packet, false, said, heard)?;
        Some([back, on])
    }

    /// A reset with these numbers, back to the sender of this frame or on to whom it was for.
    fn forged(&self, packet: &Packet, is_back: bool, said: u32, heard: u32) -> Option<Self> {
        let turned = |first: &[u8], second: &[u8]| match is_back {
            true => [second, first].concat(),
            false => [first, second].concat(),
        };
        let segment = self.0.get(packet.begins..)?;
        let ends = turned(self.0.get(..6)?, self.0.get(6..CARRIES)?);
        let ports = turned(segment.get(..2)?, segment.get(2..4)?);
        let addresses = turned(&packet.source, &packet.destination);
        let length = u16::try_from(IP + TCP_HEADER).ok()?.to_be_bytes();
        let before = [&[0x45, 0], &length[..], &[0, 0, 0, 0, TTL, TCP]].concat();
        let sum = checksum(&[&before, &addresses]).to_be_bytes();
        let numbers = [said.to_be_bytes(), heard.to_be_bytes()].concat();
        // The header is five words long; window, checksum and urgent pointer are zero.
        let rest = [5 << 4, RST | ACK, 0, 0, 0, 0, 0, 0];
        let ip = [&before[..], &sum, &addresses].concat();
        let tcp = [&ports[..], &numbers, &rest].concat();
        let mut frame = Self([&ends[..], &IPV4.to_be_bytes(), &ip, &tcp].concat());
        frame.seal();
        Some(frame)
    }

    fn packet(&self) -> Option<Packet> {
        if u16_at(&self.0, CARRIES)? != IPV4 {
            return None;
        }
        let ip = self.0.get(ETHERNET..)?;
        let header = usize::from(ip.first()? & 0x0f) * 4;
        let ends = ETHERNET + usize::from(u16_at(ip, 2)?);
        let packet = Packet {
            protocol: *ip.get(9)?,
            source: *ip.get(12..16)?.first_chunk()?,
            destination: *ip.get(16..20)?.first_chunk()?,
            begins: ETHERNET + header,
            ends,
        };
        let shortest = match packet.protocol {
            TCP => TCP_HEADER,
            UDP => 8,
            _ => return None,
        };
        let is_whole = u16_at(ip, 6)? & FRAGMENT == 0
            && ends <= self.0.len()
            && packet.begins + shortest <= ends;
        is_whole.then_some(packet)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

/// The hardware address of the host at this port.
pub fn address_of(port: Port) -> String {
    format!("02:00:00:00:00:{:02x}", port.0)
}

/// The Internet checksum (RFC 1071) of these parts; all but the last are of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let word = |pair: &[u8]| u32::from(u16_at(&[pair, &[0]].concat(), 0).unwrap_or_default());
    // A frame has far too few words to overflow this.
    let mut sum: u32 = words.map(word).sum();
    while sum > u32::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame from the host at port 1 to that at port 2.
    fn frame(protocol: u8, payload: &[u8]) -> Frame {
        let length = u16::try_from(IP + payload.len()).unwrap();
        let ip = [
            &[0x45, 0],
            &length.to_be_bytes()[..],
            &[0, 1, 0x40, 0, 64, protocol, 0, 0],
            &[10, 77, 1, 1, 10, 77, 1, 2],
        ]
        .concat();
        Frame(
            [
                &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
                &ip[..],
                payload,
            ]
            .concat(),
        )
    }

    fn segment(said: u32, heard: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ports = [0x12, 0x34, 0xc3, 0x64];
        let rest = [5 << 4, flags, 0xff, 0xff, 0xab, 0xcd, 0, 0];
        let numbers = [said.to_be_bytes(), heard.to_be_bytes()].concat();
        [&ports[..], &numbers, &rest, payload].concat()
    }

    /// What is true of a sealed packet: all of it, its checksum included, sums up to nothing.
    fn is_sealed(frame: &Frame) -> bool {
        let packet = frame.packet().unwrap();
        let length = u16::try_from(packet.ends - packet.begins).unwrap();
        let pseudo = [
            &packet.source[..],
            &packet.destination,
            &[0, packet.protocol],
            &length.to_be_bytes(),
        ]
        .concat();
        checksum(&[&pseudo, &frame.0[packet.begins..packet.ends]]) == 0
    }

    /// The numbers and flags of a segment.
    fn numbers(frame: &Frame) -> (u32, u32, u8) {
        let segment = &frame.0[ETHERNET + IP..];
        let (said, heard) = (u32_at(segment, 4), u32_at(segment, 8));
        (said.unwrap(), heard.unwrap(), segment[13])
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // The example of RFC 1071, section 3.
        let sum = checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]);
        assert_eq!(sum, !0xddf2);
    }

    #[test]
    fn sealing_mends_the_checksum_of_segments_and_datagrams_of_any_length() {
        for payload in [&b""[..], b"odd", b"even"] {
            let mut tcp = frame(TCP, &segment(1, 2, ACK, payload));
            assert!(!is_sealed(&tcp));
            tcp.seal();
            assert!(is_sealed(&tcp));
            let length = u8::try_from(8 + payload.len()).unwrap();
            let header = [0x12, 0x34, 0xc3, 0x55, 0, length, 9, 9];
            let mut udp = frame(UDP, &[&header[..], payload].concat());
            udp.seal();
            assert!(is_sealed(&udp) && udp.is_datagram());
        }
    }

    #[test]
    fn what_is_no_whole_packet_is_left_as_it_is() {
        let mut cut = frame(TCP, &segment(1, 2, ACK, b"payload"));
        cut.0.truncate(50);
        let arp = Frame([&[0xff; 12][..], &[8, 6], &[7; 28]].concat());
        for mut odd in [cut, arp, Frame(vec![]), Frame(vec![2; 14])] {
            let before = odd.clone();
            odd.seal();
            assert_eq!(odd, before);
            assert!(odd.resets().is_none() && !odd.is_datagram());
        }
    }

    #[test]
    fn a_frame_goes_to_the_port_in_its_address_or_to_all() {
        assert_eq!(frame(TCP, &[]).goes_to(), Some(Port(2)));
        assert_eq!(Frame(vec![0xff; 14]).goes_to(), None);
        assert_eq!(address_of(Port(2)), "02:00:00:00:00:02");
    }

    #[test]
    fn both_ends_are_told_of_a_reset_with_the_numbers_that_they_wait_for() {
        let said = frame(TCP, &segment(1000, 500, ACK, b"12345"));
        let [back, on] = said.resets().unwrap();
        assert_eq!(numbers(&back), (500, 1005, RST | ACK));
        assert_eq!(numbers(&on), (1000, 500, RST | ACK));
        assert_eq!(
            (back.goes_to(), on.goes_to()),
            (Some(Port(1)), Some(Port(2)))
        );
        assert!(is_sealed(&back) && is_sealed(&on));
        assert_eq!(checksum(&[&back.0[ETHERNET..ETHERNET + IP]]), 0);
        assert_eq!(back.packet().unwrap().destination, [10, 77, 1, 1]);
        assert_eq!(back.0[ETHERNET + IP..][..4], [0xc3, 0x64, 0x12, 0x34]);
    }

    #[test]
    fn a_first_word_is_refused_and_a_reset_is_not_answered() {
        let hello = frame(TCP, &segment(1000, 0, SYN, b""));
        let [back, _] = hello.resets().unwrap();
        assert_eq!(numbers(&back), (0, 1001, RST | ACK));
        assert!(back.resets().is_none());
    }
}
