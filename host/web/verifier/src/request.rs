//! Requests as bytes: each field after its length, four bytes, the least first.

const LENGTH_BYTES: usize = 4;

/// Returns a request's fields; nothing where the bytes are none.
pub fn fields(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        fields.push(field);
        bytes = rest;
    }
    Some(fields)
}

/// Returns the bytes of a request; nothing where a field is longer than a length can say.
pub fn encode(fields: &[&[u8]]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for field in fields {
        let length = u32::try_from(field.len()).ok()?;
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(field);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written_and_no_part_of_one_is() {
        let written = encode(&[b"receipt", b"", b"{}"]).unwrap();
        assert_eq!(
            fields(&written),
            Some(vec![&b"receipt"[..], &b""[..], &b"{}"[..]])
        );
        let ends_of_fields = [0, 11, 15, 21];
        for length in 0..=written.len() {
            let is_whole = ends_of_fields.contains(&length);
            assert_eq!(fields(&written[..length]).is_some(), is_whole, "{length}");
        }
        assert_eq!(fields(&[255; 4]), None);
    }
}
