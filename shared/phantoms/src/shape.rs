//! Convex bodies and the part of a ray that lies within them, in closed form.

use crate::space::{Frame, Point, Ray, p};

/// A convex body. A ray meets it in one piece or not at all.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `axes` are unit vectors, `radii` the half lengths along them.
    Ellipsoid {
        centre: Point,
        axes: [Point; 3],
        radii: Point,
    },
    /// The hull of two spheres: capsules, tapered shafts.
    Cone { a: Point, b: Point, ra: f32, rb: f32 },
    /// An elliptic cylinder with flat ends across `axes[2]`: vertebral bodies, plateaus.
    Drum {
        centre: Point,
        axes: [Point; 3],
        radii: Point,
    },
    /// A flat plate: the triangle or quadrilateral `corners` thickened by `half` to both sides.
    Plate {
        corners: Vec<Point>,
        normal: Point,
        half: f32,
    },
}

/// An upright ellipsoid.
pub fn ellipsoid(centre: Point, rx: f32, ry: f32, rz: f32) -> Shape {
    Shape::Ellipsoid {
        centre,
        axes: Frame::still().axes,
        radii: p(rx, ry, rz),
    }
}

/// An ellipsoid turned by `frame` and centred at `centre`.
pub fn turned_ellipsoid(centre: Point, frame: &Frame, rx: f32, ry: f32, rz: f32) -> Shape {
    Shape::Ellipsoid {
        centre,
        axes: frame.axes,
        radii: p(rx, ry, rz),
    }
}

/// A tapered capsule from `a` (radius `ra`) to `b` (radius `rb`).
pub fn cone(a: Point, b: Point, ra: f32, rb: f32) -> Shape {
    Shape::Cone { a, b, ra, rb }
}

/// An elliptic drum of half height `rz` along the third axis of `frame`.
pub fn drum(centre: Point, frame: &Frame, rx: f32, ry: f32, rz: f32) -> Shape {
    Shape::Drum {
        centre,
        axes: frame.axes,
        radii: p(rx, ry, rz),
    }
}

/// A plate through `corners` (in order around it, in one plane).
pub fn plate(corners: &[Point], half: f32) -> Shape {
    let normal = (corners[1] - corners[0]).cross(corners[2] - corners[0]).unit();
    Shape::Plate {
        corners: corners.to_vec(),
        normal,
        half,
    }
}

impl Shape {
    /// Entry and exit of `ray`, as distances from its origin.
    pub fn span(&self, ray: &Ray) -> Option<(f32, f32)> {
        match self {
            Self::Ellipsoid { centre, axes, radii } => {
                let (origin, direction) = local(ray, *centre, axes, *radii);
                quadratic(
                    direction.dot(direction),
                    origin.dot(direction),
                    origin.dot(origin) - 1.0,
                )
            }
            Self::Drum { centre, axes, radii } => {
                let (origin, direction) = local(ray, *centre, axes, *radii);
                let side = quadratic(
                    direction.x * direction.x + direction.y * direction.y,
                    origin.x * direction.x + origin.y * direction.y,
                    origin.x * origin.x + origin.y * origin.y - 1.0,
                )?;
                let slab = slab(origin.z, direction.z, 1.0)?;
                meet(side, slab)
            }
            Self::Cone { a, b, ra, rb } => cone_span(ray, *a, *b, *ra, *rb),
            Self::Plate { corners, normal, half } => plate_span(ray, corners, *normal, *half),
        }
    }

    /// The least and greatest coordinate along the unit vector `direction`.
    pub fn reach(&self, direction: Point) -> (f32, f32) {
        let along = |axes: &[Point; 3]| axes.map(|axis| axis.dot(direction));
        match self {
            Self::Ellipsoid { centre, axes, radii } => {
                let [x, y, z] = along(axes);
                around(centre.dot(direction), p(x * radii.x, y * radii.y, z * radii.z).length())
            }
            Self::Drum { centre, axes, radii } => {
                let [x, y, z] = along(axes);
                around(
                    centre.dot(direction),
                    (x * radii.x).hypot(y * radii.y) + (z * radii.z).abs(),
                )
            }
            Self::Cone { a, b, ra, rb } => {
                let (a, b) = (a.dot(direction), b.dot(direction));
                ((a - ra).min(b - rb), (a + ra).max(b + rb))
            }
            Self::Plate { corners, half, .. } => corners
                .iter()
                .map(|corner| corner.dot(direction))
                .fold((f32::MAX, f32::MIN), |(low, high), at| {
                    (low.min(at - half), high.max(at + half))
                }),
        }
    }

    /// The same body with its surface moved inwards; `None` when nothing is left.
    pub fn shrunk(&self, by: f32) -> Option<Self> {
        let less = |radii: &Point| {
            let radii = p(radii.x - by, radii.y - by, radii.z - by);
            (radii.x > 0.02 && radii.y > 0.02 && radii.z > 0.02).then_some(radii)
        };
        match self {
            Self::Ellipsoid { centre, axes, radii } => Some(Self::Ellipsoid {
                centre: *centre,
                axes: *axes,
                radii: less(radii)?,
            }),
            Self::Drum { centre, axes, radii } => Some(Self::Drum {
                centre: *centre,
                axes: *axes,
                radii: less(radii)?,
            }),
            Self::Cone { a, b, ra, rb } => (ra.min(*rb) > by + 0.01).then(|| Self::Cone {
                a: *a,
                b: *b,
                ra: ra - by,
                rb: rb - by,
            }),
            Self::Plate { .. } => None,
        }
    }
}

/// The ray in the body's own axes, scaled so that the body is the unit sphere or cylinder.
fn local(ray: &Ray, centre: Point, axes: &[Point; 3], radii: Point) -> (Point, Point) {
    let from = ray.origin - centre;
    let scale = p(1.0 / radii.x, 1.0 / radii.y, 1.0 / radii.z);
    let into = |v: Point| {
        p(
            v.dot(axes[0]) * scale.x,
            v.dot(axes[1]) * scale.y,
            v.dot(axes[2]) * scale.z,
        )
    };
    (into(from), into(ray.direction))
}

fn quadratic(a: f32, half_b: f32, c: f32) -> Option<(f32, f32)> {
    if a < 1e-9 {
        return (c < 0.0).then_some((-1e4, 1e4));
    }
    let root = half_b * half_b - a * c;
    if root <= 0.0 {
        return None;
    }
    let root = root.sqrt();
    Some(((-half_b - root) / a, (-half_b + root) / a))
}

fn slab(origin: f32, direction: f32, half: f32) -> Option<(f32, f32)> {
    if direction.abs() < 1e-9 {
        return (origin.abs() < half).then_some((-1e4, 1e4));
    }
    let (near, far) = ((-half - origin) / direction, (half - origin) / direction);
    Some((near.min(far), near.max(far)))
}

fn meet(one: (f32, f32), other: (f32, f32)) -> Option<(f32, f32)> {
    let (near, far) = (one.0.max(other.0), one.1.min(other.1));
    (near < far).then_some((near, far))
}

fn around(centre: f32, half: f32) -> (f32, f32) {
    (centre - half, centre + half)
}

/// The two end spheres and the cone that touches both, whose hull the body is.
fn cone_span(ray: &Ray, a: Point, b: Point, ra: f32, rb: f32) -> Option<(f32, f32)> {
    let sphere = |centre: Point, radius: f32| {
        let from = ray.origin - centre;
        quadratic(1.0, from.dot(ray.direction), from.dot(from) - radius * radius)
    };
    let mut span = sphere(a, ra);
    let mut widen = |other: Option<(f32, f32)>| {
        span = match (span, other) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
    };
    widen(sphere(b, rb));
    let length = (b - a).length();
    let sine = (ra - rb) / length.max(1e-6);
    if sine.abs() < 0.999 {
        // The tangent circles lie `radius * sine` beyond the centres and have radius `radius * cosine`.
        let cosine = (1.0 - sine * sine).sqrt();
        let axis = (b - a) * (1.0 / length);
        let (start, end) = (ra * sine, length + rb * sine);
        let (radius, slope) = (ra * cosine, (rb - ra) * cosine / (end - start).max(1e-6));
        let from = ray.origin - a;
        let (along, rate) = (from.dot(axis), ray.direction.dot(axis));
        let width = radius + slope * (along - start);
        let widening = slope * rate;
        let quadric_a = 1.0 - rate * rate - widening * widening;
        let quadric_b = from.dot(ray.direction) - along * rate - width * widening;
        let quadric_c = from.dot(from) - along * along - width * width;
        let half = 0.5 * (end - start);
        if quadric_a > 1e-6
            && let Some(side) = quadratic(quadric_a, quadric_b, quadric_c)
            && let Some(ends) = slab(along - start - half, rate, half)
        {
            widen(meet(side, ends));
        }
    }
    span
}

fn plate_span(ray: &Ray, corners: &[Point], normal: Point, half: f32) -> Option<(f32, f32)> {
    let mut span = slab((ray.origin - corners[0]).dot(normal), ray.direction.dot(normal), half)?;
    for (index, corner) in corners.iter().enumerate() {
        let next = corners[(index + 1) % corners.len()];
        let outward = (next - *corner).cross(normal);
        let (depth, rate) = ((ray.origin - *corner).dot(outward), ray.direction.dot(outward));
        if rate.abs() < 1e-9 {
            if depth > 0.0 {
                return None;
            }
        } else if rate > 0.0 {
            span.1 = span.1.min(-depth / rate);
        } else {
            span.0 = span.0.max(-depth / rate);
        }
    }
    (span.0 < span.1).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ray(x: f32, z: f32) -> Ray {
        Ray {
            origin: p(x, -100.0, z),
            direction: p(0.0, 1.0, 0.0),
        }
    }

    fn length(shape: &Shape, x: f32, z: f32) -> f32 {
        shape.span(&ray(x, z)).map_or(0.0, |(near, far)| far - near)
    }

    #[test]
    fn chords_have_their_closed_lengths() {
        let ball = ellipsoid(Point::ORIGIN, 3.0, 2.0, 1.0);
        assert!((length(&ball, 0.0, 0.0) - 4.0).abs() < 1e-3);
        assert!(length(&ball, 3.1, 0.0) == 0.0);
        let shaft = cone(p(0.0, 0.0, -5.0), p(0.0, 0.0, 5.0), 1.0, 1.0);
        assert!((length(&shaft, 0.6, 2.0) - 1.6).abs() < 1e-3);
        assert!(length(&shaft, 0.0, 6.1) == 0.0);
        let can = drum(Point::ORIGIN, &Frame::still(), 2.0, 1.0, 3.0);
        assert!((length(&can, 0.0, 2.9) - 2.0).abs() < 1e-3 && length(&can, 0.0, 3.1) == 0.0);
        let board = plate(
            &[
                p(-1.0, 0.0, -1.0),
                p(1.0, 0.0, -1.0),
                p(1.0, 0.0, 1.0),
                p(-1.0, 0.0, 1.0),
            ],
            0.25,
        );
        assert!((length(&board, 0.5, 0.5) - 0.5).abs() < 1e-3 && length(&board, 1.2, 0.0) == 0.0);
    }

    #[test]
    fn a_tapered_cone_is_wider_at_its_wide_end() {
        let cone = cone(p(0.0, 0.0, 0.0), p(0.0, 0.0, 10.0), 2.0, 1.0);
        let (low, middle, high) = (
            length(&cone, 0.0, 0.5),
            length(&cone, 0.0, 5.0),
            length(&cone, 0.0, 9.5),
        );
        assert!(low > middle && middle > high && (middle - 3.0).abs() < 0.1);
        assert_eq!(cone.reach(p(0.0, 0.0, 1.0)), (-2.0, 11.0));
    }
}
