//! XML as trees: the elements that stand directly in the document's first one, one after another.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::line_ends;
use super::problem::At;

/// Elements within each other, at most.
const DEPTH_MAX: usize = 64;

/// One element with all that stands in it. Prefixes of namespaces are left out.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    /// The line on which it starts, from 1.
    pub(super) line: u64,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
    pub(super) text: String,
}

impl Element {
    fn new(start: &BytesStart<'_>, line: u64) -> Result<Self, At> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| At::new(line, error.to_string()))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| At::new(line, error.to_string()))?;
            let name = attribute.key.local_name();
            attributes.push((name.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Self {
            name: start.local_name().as_ref().to_owned(),
            line,
            attributes,
            children: Vec::new(),
            text: String::new(),
        })
    }

    /// The text of the child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&str> {
        let child = self.children.iter().find(|child| child.name == name)?;
        Some(child.text.trim())
    }
}

/// Where a file has one document below another.
const SECOND: &str =
    "a second document starts here, below the end of the first: put each into a file of its own";

/// Gives each element that stands directly in the first one to `sink`. Returns the first one's name.
pub(super) fn read(
    text: &str,
    sink: &mut dyn FnMut(Element) -> Result<(), At>,
) -> Result<String, At> {
    let mut reader = Reader::from_str(text);
    let mut lines = LinesTo::new(text);
    let mut root: Option<String> = None;
    let mut is_closed = false;
    let mut open: Vec<Element> = Vec::new();
    loop {
        let line = lines.at(reader.buffer_position() as usize);
        let event = reader.read_event();
        let event = event.map_err(|error| At::new(line, format!("not XML: {error}")))?;
        let done = match event {
            Event::Start(_) | Event::Empty(_) if is_closed => return Err(At::new(line, SECOND)),
            Event::Start(start) if root.is_none() => {
                root = Some(start.local_name().as_ref().to_owned());
                continue;
            }
            Event::Empty(start) if root.is_none() => {
                root = Some(start.local_name().as_ref().to_owned());
                is_closed = true;
                continue;
            }
            Event::Start(start) => {
                if open.len() == DEPTH_MAX {
                    let message = format!("elements stand more than {DEPTH_MAX} deep");
                    return Err(At::new(line, message));
                }
                open.push(Element::new(&start, line)?);
                continue;
            }
            Event::Empty(start) => Element::new(&start, line)?,
            Event::End(_) => match open.pop() {
                Some(element) => element,
                None => {
                    is_closed = true;
                    continue;
                }
            },
            Event::Text(text) => {
                add(&mut open, &text.xml10_content());
                continue;
            }
            Event::CData(text) => {
                add(&mut open, &text.xml10_content());
                continue;
            }
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref();
                let character = character.map_err(|error| At::new(line, error.to_string()))?;
                let name = reference.xml10_content();
                let text: Cow<'_, str> = match (character, &*name) {
                    (Some(character), _) => character.to_string().into(),
                    (None, "lt") => "<".into(),
                    (None, "gt") => ">".into(),
                    (None, "amp") => "&".into(),
                    (None, "quot") => "\"".into(),
                    (None, "apos") => "'".into(),
                    (None, other) => {
                        let message = format!("the entity {other:?} is not known");
                        return Err(At::new(line, message));
                    }
                };
                add(&mut open, &text);
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => sink(done)?,
        }
    }
    match root {
        Some(root) if is_closed => Ok(root),
        Some(root) => {
            let message = format!("not XML: the file ends within {root}");
            Err(At::new(lines.at(text.len()), message))
        }
        None => Err(At::new(1, "expected XML, found no element")),
    }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// Lines of positions, asked for in their order.
struct LinesTo<'a> {
    text: &'a [u8],
    seen: usize,
    line: u64,
}

impl<'a> LinesTo<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            seen: 0,
            line: 1,
        }
    }

    fn at(&mut self, position: usize) -> u64 {
        if let Some(between) = self.text.get(self.seen..position) {
            self.line += line_ends(between);
            self.seen = position;
        }
        self.line
    }
}
