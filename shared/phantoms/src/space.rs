//! Points and frames in centimetres: x to the patient's left, y forward, z towards the head.

use std::ops::{Add, Mul, Neg, Sub};

/// A point or a direction, in centimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

/// Short for [`Point`].
pub const fn p(x: f32, y: f32, z: f32) -> Point {
    Point { x, y, z }
}

impl Point {
    pub const ORIGIN: Self = p(0.0, 0.0, 0.0);

    pub fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub fn cross(self, other: Self) -> Self {
        p(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    pub fn unit(self) -> Self {
        self * (1.0 / self.length().max(1e-9))
    }

    /// The point `share` of the way to `other`.
    pub fn towards(self, other: Self, share: f32) -> Self {
        self + (other - self) * share
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        p(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        p(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        p(self.x * factor, self.y * factor, self.z * factor)
    }
}

impl Neg for Point {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

/// A turned and moved copy of space.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub origin: Point,
    pub axes: [Point; 3],
}

impl Frame {
    /// Space as it is.
    pub const fn still() -> Self {
        Self {
            origin: Point::ORIGIN,
            axes: [p(1.0, 0.0, 0.0), p(0.0, 1.0, 0.0), p(0.0, 0.0, 1.0)],
        }
    }

    /// Turned about the three axes in the order x, y, z (degrees), around the origin.
    pub fn turned(x_degrees: f32, y_degrees: f32, z_degrees: f32) -> Self {
        let turn = |point: Point| {
            let (sin, cos) = x_degrees.to_radians().sin_cos();
            let point = p(point.x, cos * point.y - sin * point.z, sin * point.y + cos * point.z);
            let (sin, cos) = y_degrees.to_radians().sin_cos();
            let point = p(cos * point.x + sin * point.z, point.y, cos * point.z - sin * point.x);
            let (sin, cos) = z_degrees.to_radians().sin_cos();
            p(cos * point.x - sin * point.y, sin * point.x + cos * point.y, point.z)
        };
        let still = Self::still();
        Self {
            origin: Point::ORIGIN,
            axes: still.axes.map(turn),
        }
    }

    /// The same frame with its origin at `origin`.
    pub fn at(mut self, origin: Point) -> Self {
        self.origin = origin;
        self
    }

    /// A direction of this frame, seen from outside.
    pub fn turn(&self, direction: Point) -> Point {
        self.axes[0] * direction.x + self.axes[1] * direction.y + self.axes[2] * direction.z
    }

    /// A point of this frame, seen from outside.
    pub fn place(&self, point: Point) -> Point {
        self.origin + self.turn(point)
    }
}

/// A straight X-ray; `direction` has length 1.
#[derive(Clone, Copy, Debug)]
pub struct Ray {
    pub origin: Point,
    pub direction: Point,
}
