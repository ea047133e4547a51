// How tests steer the device that v4l2_stand_in.cc plays.
#ifndef BAGEL_VISION_V4L2_STAND_IN_H_
#define BAGEL_VISION_V4L2_STAND_IN_H_

// From now on the device is `path`, and it has this fault (see v4l2_stand_in.cc). Without a call,
// the environment decides: STAND_IN_DEVICE (else /dev/video42) and STAND_IN_FAULT.
extern "C" void StandInDevice(const char* path, const char* fault);
// Descriptors of the device that are open.
extern "C" int StandInOpen();

#endif  // BAGEL_VISION_V4L2_STAND_IN_H_
