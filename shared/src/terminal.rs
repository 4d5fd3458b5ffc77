//! The frames of a terminal's own WebSocket (`/api/term/{id}`, subprotocol [`SUBPROTOCOL`]).
//!
//! Binary frames; the first byte is the kind, numbers are big-endian. Output carries the sequence
//! number of its first byte, so that a page which comes back says what it has and hears the rest,
//! nothing lost or doubled. The page acknowledges what xterm.js has really drawn; above
//! [`crate::limits::TERMINAL_UNACKED_BYTES`] the server stops reading the PTY, so that a flood
//! holds the program back and not the network.
//!
//! Input carries a sequence number of its own. A page repeats what was not confirmed when it
//! comes back, and the server drops what it has already written.

/// The only subprotocol of a terminal socket.
pub const SUBPROTOCOL: &str = "vitrine.term.v1";

/// From the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// `0x00 seq:u64 bytes`: output; `seq` is the position of its first byte.
    Data {
        /// Position of the first byte since the terminal began.
        seq: u64,
        /// What the program wrote.
        bytes: Vec<u8>,
    },
    /// `0x01 seq:u64`: what came before `seq` is gone; clear the screen and go on from there.
    Reset {
        /// Position of the next byte.
        seq: u64,
    },
    /// `0x02 status:i32`: the program has ended; 128 + n for signal n.
    Exit {
        /// Exit status as a shell writes it.
        status: i32,
    },
    /// `0x03 may_type:u8 input_seq:u64`: may this page type, and up to where its input was written.
    Hello {
        /// False for viewers.
        may_type: bool,
        /// Position of the next input byte the server expects.
        input_seq: u64,
    },
    /// `0x04 input_seq:u64`: input before this position was written to the terminal.
    InputAck {
        /// Position of the next input byte the server expects.
        input_seq: u64,
    },
}

/// From the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `0x10 seq:u64 bytes`: keys; `seq` is the position of the first byte.
    Data {
        /// Position of the first byte.
        seq: u64,
        /// What was typed.
        bytes: Vec<u8>,
    },
    /// `0x11 columns:u16 rows:u16`
    Resize {
        /// Columns, 1 to 500.
        columns: u16,
        /// Rows, 1 to 500.
        rows: u16,
    },
    /// `0x12 seq:u64`: everything before `seq` is drawn.
    Ack {
        /// Position of the next byte that is not drawn yet.
        seq: u64,
    },
    /// `0x13 seq:u64`: the first frame of a page: send from here (0 for everything there is).
    Resume {
        /// Position of the next byte wanted.
        seq: u64,
    },
}

/// A frame that follows none of the shapes above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// No first byte.
    #[error("an empty frame")]
    Empty,
    /// A kind that does not exist in this version.
    #[error("unknown frame kind {0:#04x}; known are 0x10 to 0x13")]
    Kind(u8),
    /// Too few or too many bytes.
    #[error("a frame of kind {0:#04x} has the wrong length")]
    Length(u8),
}

impl Output {
    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Output::Data { seq, bytes } => frame(0x00, &[&seq.to_be_bytes(), bytes]),
            Output::Reset { seq } => frame(0x01, &[&seq.to_be_bytes()]),
            Output::Exit { status } => frame(0x02, &[&status.to_be_bytes()]),
            Output::Hello { may_type, input_seq } => {
                frame(0x03, &[&[u8::from(*may_type)], &input_seq.to_be_bytes()])
            }
            Output::InputAck { input_seq } => frame(0x04, &[&input_seq.to_be_bytes()]),
        }
    }

    /// Reads a frame (for clients written in Rust: the command line and the tests).
    pub fn decode(frame: &[u8]) -> Result<Self, BadFrame> {
        let (&kind, rest) = frame.split_first().ok_or(BadFrame::Empty)?;
        let wrong = BadFrame::Length(kind);
        Ok(match kind {
            0x00 => {
                let (seq, bytes) = number(rest).ok_or(wrong)?;
                Output::Data { seq, bytes: bytes.to_vec() }
            }
            0x01 => Output::Reset { seq: only(rest).ok_or(wrong)? },
            0x02 => {
                Output::Exit { status: i32::from_be_bytes(rest.try_into().map_err(|_| wrong)?) }
            }
            0x03 => {
                let (&may_type, rest) = rest.split_first().ok_or(wrong)?;
                Output::Hello { may_type: may_type != 0, input_seq: only(rest).ok_or(wrong)? }
            }
            0x04 => Output::InputAck { input_seq: only(rest).ok_or(wrong)? },
            other => return Err(BadFrame::Kind(other)),
        })
    }
}

impl Input {
    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Input::Data { seq, bytes } => frame(0x10, &[&seq.to_be_bytes(), bytes]),
            Input::Resize { columns, rows } => {
                frame(0x11, &[&columns.to_be_bytes(), &rows.to_be_bytes()])
            }
            Input::Ack { seq } => frame(0x12, &[&seq.to_be_bytes()]),
            Input::Resume { seq } => frame(0x13, &[&seq.to_be_bytes()]),
        }
    }

    /// Reads a frame from a page.
    pub fn decode(frame: &[u8]) -> Result<Self, BadFrame> {
        let (&kind, rest) = frame.split_first().ok_or(BadFrame::Empty)?;
        let wrong = BadFrame::Length(kind);
        Ok(match kind {
            0x10 => {
                let (seq, bytes) = number(rest).ok_or(wrong)?;
                Input::Data { seq, bytes: bytes.to_vec() }
            }
            0x11 => {
                let &[c1, c2, r1, r2] = rest else { return Err(wrong) };
                Input::Resize {
                    columns: u16::from_be_bytes([c1, c2]),
                    rows: u16::from_be_bytes([r1, r2]),
                }
            }
            0x12 => Input::Ack { seq: only(rest).ok_or(wrong)? },
            0x13 => Input::Resume { seq: only(rest).ok_or(wrong)? },
            other => return Err(BadFrame::Kind(other)),
        })
    }
}

fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![kind];
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

fn only(bytes: &[u8]) -> Option<u64> {
    number(bytes).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_survives_the_wire() {
        for output in [
            Output::Data { seq: 7, bytes: b"hi".to_vec() },
            Output::Reset { seq: 1 << 40 },
            Output::Exit { status: 137 },
            Output::Hello { may_type: true, input_seq: 3 },
            Output::InputAck { input_seq: 9 },
        ] {
            assert_eq!(Output::decode(&output.encode()), Ok(output));
        }
        for input in [
            Input::Data { seq: 0, bytes: b"ls\r".to_vec() },
            Input::Resize { columns: 80, rows: 24 },
            Input::Ack { seq: 5 },
            Input::Resume { seq: 0 },
        ] {
            assert_eq!(Input::decode(&input.encode()), Ok(input));
        }
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!(Input::decode(&[]), Err(BadFrame::Empty));
        assert_eq!(Input::decode(&[0x99]), Err(BadFrame::Kind(0x99)));
        assert_eq!(Input::decode(&[0x11, 0, 80, 0]), Err(BadFrame::Length(0x11)));
        assert_eq!(Input::decode(&[0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(BadFrame::Length(0x12)));
    }
}
