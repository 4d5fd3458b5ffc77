//! The latest so many of something, in room that is taken once.

use std::collections::VecDeque;

/// The latest items, oldest first. It never holds more than it was made for.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    items: VecDeque<T>,
    most: usize,
}

impl<T> Ring<T> {
    /// Room for so many, at least one.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Ring { items: VecDeque::with_capacity(most), most }
    }

    /// Adds one; the oldest makes room.
    pub fn push(&mut self, item: T) {
        if self.items.len() >= self.most {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator + Clone {
        self.items.iter()
    }

    /// The latest.
    pub fn last(&self) -> Option<&T> {
        self.items.back()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets all, and keeps the room.
    pub fn clear(&mut self) {
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_in_order_and_the_room_does_not_grow() {
        let mut ring = Ring::new(3);
        let room = ring.items.capacity();
        (0..1_000).for_each(|n| ring.push(n));
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [997, 998, 999]);
        assert_eq!((ring.last(), ring.len(), ring.items.capacity()), (Some(&999), 3, room));
        ring.clear();
        assert!(ring.is_empty());
        let mut one = Ring::new(0);
        one.push(1);
        assert_eq!(one.last(), Some(&1));
    }
}
