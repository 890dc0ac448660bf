//! Keys of a keyboard, as WebDriver names them.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// One that types this.
    Character(char),
    /// Moves the focus on.
    Tab,
    /// Activates buttons and links.
    Enter,
    /// Activates buttons, ticks boxes.
    Space,
    /// Moves within a group.
    Down,
    /// Moves within a group, the other way.
    Up,
}

impl Key {
    /// Its code (W3C WebDriver, 17.4.2).
    pub(crate) fn code(self) -> String {
        let code = match self {
            Self::Character(character) => character,
            Self::Tab => '\u{e004}',
            Self::Enter => '\u{e007}',
            Self::Space => ' ',
            Self::Down => '\u{e015}',
            Self::Up => '\u{e013}',
        };
        code.to_string()
    }
}
